import type { FeatureImportance } from '../model.ts';

export interface TopFeature {
  readonly feature: string;
  /** Share of all gain, over all horizons: in 0..1. */
  readonly gain: number;
  readonly splits: number;
}

/**
 * The features with the most gain, at most `count`, those without a split left out. Every horizon counts alike: gains are
 * first made shares of its own. Columns beyond the names, which a network in front gives, are one entry. Ties keep the
 * order of the features. Empty where nothing was split.
 */
export function topFeatures(
  importance: readonly FeatureImportance[],
  names: readonly string[],
  count: number,
): TopFeature[] {
  const learned = Math.max(0, ...importance.map(({ gain }) => gain.length - names.length));
  const all = [...names, ...(learned > 0 ? [`${learned} learnt by the network`] : [])].map(
    (feature) => ({ feature, gain: 0, splits: 0 }),
  );
  for (const { gain, split } of importance) {
    const total = gain.reduce((sum, value) => sum + value, 0);
    gain.forEach((value, i) => {
      const entry = all[Math.min(i, names.length)]!;
      entry.gain += total > 0 ? value / total / importance.length : 0;
      entry.splits += split[i]!;
    });
  }
  return all
    .filter(({ splits }) => splits > 0)
    .toSorted((a, b) => b.gain - a.gain)
    .slice(0, count);
}
