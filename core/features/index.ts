import { RatchetError } from '../errors.ts';
import type { FeatureSet } from './feature-set.ts';
import { technical152 } from './technical-152.ts';

export { buildFeatures } from './build.ts';
export type { FeatureColumn, FeatureSet } from './feature-set.ts';
export type { FeatureMatrix, LabelMatrix } from './matrix.ts';

/** All feature sets by name. A new one: a file in this folder and an entry here. */
export const featureSets: ReadonlyMap<string, FeatureSet> = new Map(
  [technical152].map((set) => [set.name, set]),
);

/** Looks a feature set up; throws `features.unknown` with the names that exist. */
export function featureSetOrThrow(name: string): FeatureSet {
  const found = featureSets.get(name);
  if (found === undefined) {
    const known = [...featureSets.keys()];
    throw new RatchetError(
      'features.unknown',
      `no feature set is named "${name}"; there are ${known.join(', ')}`,
      { details: { name, known } },
    );
  }
  return found;
}
