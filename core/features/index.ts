import { ZodError } from 'zod';
import { RatchetError } from '../errors.ts';
import { crypto46 } from './crypto-46.ts';
import { daily22 } from './daily-22.ts';
import { type ColumnDeclaration, declaredFeatureSet } from './declared.ts';
import type { FeatureSet } from './feature-set.ts';
import type { Levels } from './levels.ts';
import { technical152 } from './technical-152.ts';

export { buildFeatures } from './build.ts';
export {
  type ColumnDeclaration,
  columnSchema,
  completeColumn,
  paramsOf,
  COLUMNS_MAX,
  declaredFeatureSet,
} from './declared.ts';
export type { FeatureColumn, FeatureSet } from './feature-set.ts';
export { type Levels, LEVELS } from './levels.ts';
export type { FeatureMatrix, LabelMatrix } from './matrix.ts';

/** What a spec may call a set: one that is the same in any units, or one that comes in two. */
type CatalogueEntry = FeatureSet | Readonly<Record<Levels, FeatureSet>>;

/** By the name that a spec gives. A new one: a file in this folder and an entry here. */
const catalogue: ReadonlyMap<string, CatalogueEntry> = new Map<string, CatalogueEntry>([
  ['technical-152', technical152],
  ['crypto-46', crypto46],
  ['daily-22', daily22],
]);

/** Names of sets that a spec may give. */
export const featureSetNames: readonly string[] = [...catalogue.keys()];

/** All feature sets by their full name, which says the units of a set that has levels. */
export const featureSets: ReadonlyMap<string, FeatureSet> = new Map(
  [...catalogue.values()]
    .flatMap((entry) => ('hash' in entry ? [entry] : [entry.relative, entry.raw]))
    .map((set) => [set.name, set]),
);

/** A set of the catalogue, as a spec names it. */
export interface FeatureChoice {
  readonly set: string;
  readonly levels?: Levels;
}

/** What a spec says of its features: a set of the catalogue, or columns of its own. */
export type FeatureDeclaration = FeatureChoice | { readonly columns: readonly ColumnDeclaration[] };

/** Units of a set that has levels where a spec does not say them. */
const DEFAULT_LEVELS: Levels = 'relative';

/**
 * The choice with its units filled in where the set has levels (`relative`).
 * Throws `features.unknown` and, where a set without levels is given units, `features.levels`.
 */
export function completeChoice({ set, levels }: FeatureChoice): FeatureChoice {
  const entry = catalogue.get(set);
  if (entry === undefined) throw unknown(set, featureSetNames);
  if (!('hash' in entry)) return { set, levels: levels ?? DEFAULT_LEVELS };
  if (levels === undefined) return { set };
  throw new RatchetError('features.levels', `${set} has no levels: it is the same in any units`, {
    details: { name: set, levels },
  });
}

/** Sets of declared columns: serving asks for the same one at each answer. */
const declared = new WeakMap<readonly ColumnDeclaration[], FeatureSet>();

function setOfColumns(columns: readonly ColumnDeclaration[]): FeatureSet {
  let set = declared.get(columns);
  if (set === undefined) declared.set(columns, (set = declaredFeatureSet(columns)));
  return set;
}

/** The set of a declaration; throws as `completeChoice` and `declaredFeatureSet` do. */
export function featureSetOf(declaration: FeatureDeclaration): FeatureSet {
  if ('columns' in declaration) return setOfColumns(declaration.columns);
  const { set, levels } = completeChoice(declaration);
  return featureSetOrThrow(levels === undefined ? set : `${set}-${levels}`);
}

/** What a package says of its features. */
export interface PackagedFeatures {
  readonly featureSet: string;
  readonly featureHash: string;
  /** Columns of its own, where the spec declared them; absent: a set of the catalogue. */
  readonly featureColumns?: readonly ColumnDeclaration[];
}

/**
 * The set that a package was made with, as this code computes it: its hash may be another one.
 * Throws as `featureSetOrThrow` and `declaredFeatureSet` do where the code does not have it any more.
 */
export function packagedFeatureSetOrThrow(features: PackagedFeatures): FeatureSet {
  const { featureSet, featureColumns } = features;
  return featureColumns ? setOfColumns(featureColumns) : featureSetOrThrow(featureSet);
}

/** The very set that a package was made with; undefined where this code computes another one, or none. */
export function packagedFeatureSet(features: PackagedFeatures): FeatureSet | undefined {
  try {
    const set = packagedFeatureSetOrThrow(features);
    return set.hash === features.featureHash ? set : undefined;
  } catch (error) {
    if (error instanceof RatchetError || error instanceof ZodError) return undefined;
    throw error;
  }
}

/** Looks a feature set up by its full name; throws `features.unknown` with the names that exist. */
export function featureSetOrThrow(name: string): FeatureSet {
  const found = featureSets.get(name);
  if (found === undefined) throw unknown(name, [...featureSets.keys()]);
  return found;
}

const unknown = (name: string, known: readonly string[]): RatchetError =>
  new RatchetError(
    'features.unknown',
    `no feature set is named "${name}"; there are ${known.join(', ')}`,
    { details: { name, known } },
  );
