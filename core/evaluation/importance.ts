import type { FeatureImportance } from '../models/model.ts';
import type { Evaluation } from './evaluation.ts';

/** The most features that are named; the rest is added up. */
export const IMPORTANT_MAX = 20;

/** Features by their share of the gain, by horizon; undefined of families that cannot say. */
export function importanceOf(
  horizons: readonly number[],
  names: readonly string[] | undefined,
  importance: readonly FeatureImportance[] | undefined,
): Evaluation['importance'] {
  if (importance === undefined || names === undefined) return undefined;
  return importance.flatMap(({ gain, split }, k) => {
    const horizon = horizons[k];
    const total = gain.reduce((a, b) => a + b, 0);
    if (horizon === undefined || gain.length !== names.length || !(total > 0)) return [];
    const ranked = names
      .map((name, i) => ({ name, share: gain[i]! / total, splits: split[i] ?? 0 }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share);
    return [{ horizon, used: ranked.length, features: ranked.slice(0, IMPORTANT_MAX) }];
  });
}
