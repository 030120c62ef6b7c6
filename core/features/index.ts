import { ZodError } from 'zod';
import { RatchetError } from '../errors.ts';
import { chosenSet, type FeatureChoice, featureSetOrThrow } from './catalogue.ts';
import { declaredFeatureSet, type FeatureEntry } from './declared.ts';
import type { FeatureSet } from './feature-set.ts';

export { buildFeatures } from './build.ts';
export { newestRows } from './newest.ts';
export {
  completeChoice,
  type FeatureChoice,
  featureSetNames,
  featureSetOrThrow,
  featureSets,
} from './catalogue.ts';
export {
  columnSchema,
  completeEntry,
  COLUMNS_MAX,
  declaredFeatureSet,
  type FeatureEntry,
  featureEntrySchema,
  indicatorOf,
} from './declared.ts';
export type { FeatureColumn, FeatureSet } from './feature-set.ts';
export { type Levels, LEVELS } from './levels.ts';
export type { FeatureMatrix, LabelMatrix } from './matrix.ts';

/** What a spec says of its features: a set of the catalogue, or columns of its own. */
export type FeatureDeclaration = FeatureChoice | { readonly columns: readonly FeatureEntry[] };

/** Sets of declared columns: serving asks for the same one at each answer. */
const declared = new WeakMap<readonly FeatureEntry[], FeatureSet>();

function setOfColumns(columns: readonly FeatureEntry[]): FeatureSet {
  let set = declared.get(columns);
  if (set === undefined) declared.set(columns, (set = declaredFeatureSet(columns)));
  return set;
}

/** The set of a declaration; throws as `completeChoice` and `declaredFeatureSet` do. */
export function featureSetOf(declaration: FeatureDeclaration): FeatureSet {
  return 'columns' in declaration ? setOfColumns(declaration.columns) : chosenSet(declaration);
}

/** What a package says of its features. */
export interface PackagedFeatures {
  readonly featureSet: string;
  readonly featureHash: string;
  /** Columns of its own, where the spec declared them; absent: a set of the catalogue. */
  readonly featureColumns?: readonly FeatureEntry[];
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
