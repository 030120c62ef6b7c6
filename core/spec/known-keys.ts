import type { z } from 'zod';
import { inputSchemaOf, type SchemaNode } from './json-schema.ts';

/** Keys an object may have at a path of a schema, over all alternatives of unions on the way. */
export function knownKeysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let nodes = alternatives(inputSchemaOf(schema));
  for (const part of path) {
    nodes = nodes.flatMap((node) => {
      const child =
        typeof part === 'number'
          ? (node.prefixItems?.[part] ?? node.items)
          : node.properties?.[String(part)];
      return child ? alternatives(child) : [];
    });
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function alternatives(node: SchemaNode): SchemaNode[] {
  const nested = [...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  return [node, ...nested.flatMap(alternatives)];
}
