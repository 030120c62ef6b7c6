import { z } from 'zod';
import { featureSetNames } from '../features/index.ts';
import { modelFamilies } from '../models/index.ts';
import { policies } from '../policies/index.ts';
import { pruners, searchMethods } from '../search/index.ts';
import { experimentSpecSchema } from './spec.ts';

/** A JSON Schema node, as far as it is read here. */
export interface SchemaNode {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** What all other keys have: that of a record; false where there are none. */
  readonly additionalProperties?: SchemaNode | boolean;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly prefixItems?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  /** `#/$defs/name`: what stands in several places is written once. */
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
}

/** JSON Schema of what a person writes: defaults are optional. */
export function inputSchemaOf(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    // Where a search looks (core/search/space.ts) is no part of what a field takes.
    override: ({ jsonSchema }) => {
      delete jsonSchema['search'];
    },
  }) as SchemaNode;
}

/**
 * JSON Schema of an experiment spec for editors: the zod schema, the names of the catalogues as enumerations, and each
 * family's hyperparameters where that family is chosen.
 */
export function specJsonSchema(): Record<string, unknown> {
  const { properties, ...schema } = inputSchemaOf(experimentSpecSchema);
  const families = modelFamilies.map((family) => family.name);
  const named = (field: string, names: readonly string[]) => ({
    ...properties![field],
    enum: names,
  });
  const tune = properties!['tune']!;
  const defaultFamily = String(properties!['family']!.default);
  return {
    ...schema,
    title: 'Ratchet experiment spec',
    properties: {
      ...properties,
      family: named('family', families),
      baselines: { ...properties!['baselines'], items: { type: 'string', enum: families } },
      features: { ...properties!['features'], examples: [...featureSetNames] },
      promotion: {
        ...properties!['promotion'],
        properties: {
          ...properties!['promotion']!.properties,
          policy: { type: 'string', enum: policies.map((policy) => policy.name) },
        },
      },
      tune: {
        ...tune,
        properties: {
          ...tune.properties,
          search: choiceOf(tune.properties!['search'], searchMethods),
          pruner: choiceOf(tune.properties!['pruner'], pruners),
        },
      },
    },
    allOf: modelFamilies.map((family) => ({
      if: {
        properties: { family: { const: family.name } },
        // Without a family the default one is meant.
        ...(family.name === defaultFamily ? {} : { required: ['family'] }),
      },
      then: { properties: { hyperparameters: withoutMeta(inputSchemaOf(family.params)) } },
    })),
  };
}

const choiceOf = (node: SchemaNode | undefined, of: readonly { readonly name: string }[]) => ({
  type: 'string',
  enum: of.map(({ name }) => name),
  default: node?.default,
  description: node?.description,
});

function withoutMeta(schema: SchemaNode): SchemaNode {
  const { $schema: _, ...rest } = schema as SchemaNode & { readonly $schema?: string };
  return rest;
}
