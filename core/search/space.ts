import { z } from 'zod';

/** A list is taken as one of its choices as a whole, e.g. `[[32, 32], [50, 50]]`. */
const CHOICES_MAX = 64;
const GRID_POINTS_MAX = 64;
/** Bounds further apart than this factor, and above 0, are searched by their logarithm. */
const LOG_FACTOR = 100;

/** Where one hyperparameter is looked for: bounds or choices. What is left out comes from the family. */
export const spaceEntrySchema = z
  .strictObject({
    low: z.number().optional().describe('Least value.'),
    high: z.number().optional().describe('Largest value.'),
    scale: z
      .enum(['linear', 'log'])
      .optional()
      .describe('log: every power of ten is as likely as the next; needs `low` above 0.'),
    choices: z
      .array(z.unknown())
      .min(2)
      .max(CHOICES_MAX)
      .optional()
      .describe('Values to choose from, instead of bounds; a value may be a list.'),
    points: z
      .int()
      .min(2)
      .max(GRID_POINTS_MAX)
      .optional()
      .describe('Values of a grid between the bounds; default: as many as the trials allow.'),
  })
  .describe('Where one hyperparameter is looked for; what is left out comes from the family.');
export type SpaceEntry = z.output<typeof spaceEntrySchema>;

/** One hyperparameter that is searched, by its dotted path, such as `earlyStopping.patience`. */
export type Dimension =
  | {
      readonly kind: 'number';
      readonly path: string;
      /** Both inclusive, low < high. */
      readonly low: number;
      readonly high: number;
      readonly scale: 'linear' | 'log';
      readonly integer: boolean;
      /** Values of a grid; absent: as many as the trials allow. */
      readonly points?: number | undefined;
    }
  | { readonly kind: 'choice'; readonly path: string; readonly choices: readonly unknown[] };

/** In the order of the family's schema: the order is part of what a seed means. */
export type Space = readonly Dimension[];

/** What cannot be searched, in words; `path` is of the hyperparameter. */
export interface SpaceIssue {
  readonly path: string;
  readonly message: string;
  /** Set where no hyperparameter has that name: those there are. */
  readonly known?: readonly string[];
}

/** A node of zod's JSON Schema, as far as it says where a value may lie. */
interface Node {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  /** `.meta({ search: ... })` of a family's schema: where it is worth looking. */
  readonly search?: unknown;
}

/** Every hyperparameter by dotted path, in the order of the schema. */
function leavesOf(node: Node, prefix = ''): [string, Node][] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]): [string, Node][] => {
    const path = `${prefix}${name}`;
    return child.properties && child.search === undefined
      ? leavesOf(child, `${path}.`)
      : [[path, child]];
  });
}

/**
 * The space of a family's hyperparameters. With `asked` (the spec's `tune.space`) exactly the parameters that it names;
 * without, those for which the family's schema carries `.meta({ search: { low, high, scale, choices } })`; and where it
 * carries none, every one that has finite bounds or a few values. What an entry leaves out comes from that meta, then
 * from the schema's own bounds and values. `budget` is the parameter that a pruner cuts: never searched by itself.
 */
export function spaceOf(
  schema: z.ZodType,
  asked: Readonly<Record<string, SpaceEntry>> | undefined,
  budget?: string,
): { space: Space; issues: readonly SpaceIssue[] } {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
  const leaves = leavesOf(root);
  if (asked !== undefined) return askedSpace(leaves, asked);
  const others = leaves.filter(([path]) => path !== budget);
  const hinted = others.filter(([, node]) => node.search !== undefined);
  const space = (hinted.length > 0 ? hinted : others).flatMap(([path, node]) => {
    const dimension = dimensionOf(path, node, {});
    return 'message' in dimension ? [] : [dimension];
  });
  const issues =
    space.length > 0 ? [] : [{ path: '', message: 'the family has nothing to search by itself' }];
  return { space, issues };
}

function askedSpace(
  leaves: readonly (readonly [string, Node])[],
  asked: Readonly<Record<string, SpaceEntry>>,
): { space: Space; issues: readonly SpaceIssue[] } {
  const known = leaves.map(([path]) => path);
  const issues: SpaceIssue[] = Object.keys(asked)
    .filter((path) => !known.includes(path))
    .map((path) => ({ path, message: 'the family has no such hyperparameter', known }));
  const space: Dimension[] = [];
  for (const [path, node] of leaves) {
    const entry = asked[path];
    if (entry === undefined) continue;
    const dimension = dimensionOf(path, node, entry);
    if ('message' in dimension) issues.push(dimension);
    else space.push(dimension);
  }
  return { space, issues };
}

/** A dimension, or why there is none. */
function dimensionOf(path: string, node: Node, asked: SpaceEntry): Dimension | SpaceIssue {
  const hint = node.search === undefined ? {} : spaceEntrySchema.parse(node.search);
  const bounded = asked.low !== undefined || asked.high !== undefined;
  const choices = asked.choices ?? (bounded ? undefined : (hint.choices ?? valuesOf(node)));
  if (choices !== undefined) {
    if (bounded || asked.scale !== undefined || asked.points !== undefined) {
      return { path, message: 'has choices: bounds, scale and points have no meaning there' };
    }
    const distinct = new Set(choices.map((choice) => JSON.stringify(choice)));
    if (distinct.size < choices.length) return { path, message: 'a choice is there twice' };
    return { kind: 'choice', path, choices };
  }
  const numbers = numberNode(node);
  if (numbers === undefined) {
    return { path, message: 'is no number and has no few values: give `choices`' };
  }
  const low = asked.low ?? hint.low ?? finite(numbers.minimum);
  const high = asked.high ?? hint.high ?? finite(numbers.maximum ?? numbers.exclusiveMaximum);
  return numberDimension(path, { ...hint, ...asked, low, high }, numbers.type === 'integer');
}

function numberDimension(
  path: string,
  { low, high, points, ...entry }: SpaceEntry,
  integer: boolean,
): Dimension | SpaceIssue {
  if (low === undefined || high === undefined) {
    return { path, message: 'has no bounds of its own: give `low` and `high`' };
  }
  if (!(low < high)) return { path, message: `low, ${low}, must lie below high, ${high}` };
  if (integer && !(Number.isInteger(low) && Number.isInteger(high))) {
    return { path, message: 'takes whole numbers: low and high must be whole' };
  }
  const scale = entry.scale ?? (low > 0 && high / low >= LOG_FACTOR ? 'log' : 'linear');
  if (scale === 'log' && low <= 0) return { path, message: 'scale log needs `low` above 0' };
  return { kind: 'number', path, low, high, scale, integer, ...(points && { points }) };
}

/** The few values that a schema allows: an enumeration, literals, true and false. */
function valuesOf(node: Node): readonly unknown[] | undefined {
  if (node.type === 'boolean' && node.enum === undefined) return [false, true];
  const literals = (node.anyOf ?? []).map(({ const: value }) => value);
  const values = node.enum ?? (literals.includes(undefined) ? [] : literals);
  return values.length >= 2 && values.length <= CHOICES_MAX ? values : undefined;
}

function numberNode(node: Node): Node | undefined {
  return [node, ...(node.anyOf ?? [])].find(
    ({ type, const: value }) => (type === 'number' || type === 'integer') && value === undefined,
  );
}

/** zod gives integers the bounds of exact arithmetic: none, for a search. */
const finite = (bound: number | undefined): number | undefined =>
  bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER ? bound : undefined;
