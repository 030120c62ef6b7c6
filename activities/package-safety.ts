import type { Prepared } from '../core/features/prepared.ts';
import type { Preprocessing } from '../core/packages/manifest.ts';
import { fitOutlierReference, plausibleRange } from '../core/predict/index.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';

/** What serving compares windows with: the training rows of the fit that is packaged. */
export const outliersOf = (prepared: Prepared, breathe: () => Promise<void>) =>
  fitOutlierReference(
    {
      features: prepared.features,
      featureCount: prepared.featureNames.length,
      rows: prepared.split.train,
      openTime: prepared.openTime,
      lookback: prepared.lookback,
    },
    breathe,
  );

/** Which forecasts are plausible, and when an answer abstains. */
export function safetyRules(
  prepared: Prepared,
  { abstain, minConfidence }: ExperimentSpec['serving'],
): Pick<Preprocessing, 'plausible' | 'abstain'> {
  // Probabilities have a range of their own.
  const plausible = prepared.classes
    ? undefined
    : plausibleRange(prepared.trainLabelMean, prepared.trainLabelVariance);
  const rule = minConfidence === undefined ? {} : { minConfidence };
  return { ...(plausible ? { plausible } : {}), ...(abstain ? { abstain: rule } : {}) };
}
