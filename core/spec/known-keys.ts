import { z } from 'zod';
import { inputSchemaOf, type SchemaNode } from './json-schema.ts';

const kinded = z.looseObject({ kind: z.string() });

/**
 * Keys an object may have at a path of a schema, over all alternatives of unions on the way. `given`: the object, whose
 * `kind` says which of the last alternatives is meant.
 */
export function knownKeysAt(
  schema: z.ZodType,
  path: readonly PropertyKey[],
  given?: unknown,
): string[] {
  const root = inputSchemaOf(schema);
  let nodes = alternatives(root, root);
  for (const part of path) {
    nodes = nodes.flatMap((node) => {
      const child =
        typeof part === 'number'
          ? (node.prefixItems?.[part] ?? node.items)
          : (node.properties?.[String(part)] ?? recordOf(node));
      return child ? alternatives(child, root) : [];
    });
  }
  const kind = kinded.safeParse(given).data?.kind;
  const meant = nodes.filter(({ properties }) => properties?.['kind']?.const === kind);
  const chosen = kind === undefined || meant.length === 0 ? nodes : meant;
  return [...new Set(chosen.flatMap((node) => Object.keys(node.properties ?? {})))];
}

const recordOf = ({ additionalProperties }: SchemaNode): SchemaNode | undefined =>
  typeof additionalProperties === 'object' ? additionalProperties : undefined;

/** A node and those it may be instead; a schema that stands in several places is written once and pointed to. */
function alternatives(node: SchemaNode, root: SchemaNode): SchemaNode[] {
  const nested = [...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  const named = node.$ref === undefined ? undefined : root.$defs?.[node.$ref.split('/').at(-1)!];
  return [node, ...(named ? [named] : []), ...nested].flatMap((of) =>
    of === node ? [of] : alternatives(of, root),
  );
}
