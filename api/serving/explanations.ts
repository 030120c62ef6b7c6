import { labelKindOrThrow } from '../../core/labels/index.ts';
import { explainWindow, type ExplainedOutput } from '../../core/models/trees/explained.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import type { PredictionWindow } from '../../core/predict/index.ts';
import { notExplainable, type Explainer } from './explainer.ts';

/** Features named in an answer; the rest is given as one number. */
const TOP_FEATURES = 10;

/** One horizon of a prediction taken apart. */
export interface HorizonExplanation extends ExplainedOutput {
  readonly horizon: number;
  /** The class whose output this is; null of a quantity. */
  readonly class: string | null;
}

/** What each feature contributed to an answer, or why nobody can say. */
export type Explanation =
  | {
      readonly unit: 'label' | 'logit';
      readonly contributions: readonly HorizonExplanation[];
    }
  | { readonly contributions: null; readonly reason: string };

/** Contributions to the answer of a package for one window; see `Explainer.explain` for what it throws. */
export async function explainPrediction(
  explainer: Explainer,
  pkg: VerifiedPackage,
  window: PredictionWindow,
): Promise<Explanation> {
  const reason = notExplainable(pkg);
  if (reason !== undefined) return { contributions: null, reason };
  const { featureNames, lookback, label } = pkg.preprocessing;
  const found = await explainer.explain(pkg, {
    features: window.values,
    featureCount: featureNames.length,
    lookback,
    endRow: Int32Array.of(lookback - 1),
  });
  const explained = explainWindow(found, featureNames, { count: TOP_FEATURES });
  const names = namesOf(pkg, found.outputs);
  return {
    unit: found.unit,
    contributions: explained.flatMap((outputs, k) =>
      outputs.map((output, i) => ({
        ...output,
        horizon: label.horizons[k]!,
        class: names[i] ?? null,
      })),
    ),
  };
}

/** Which class each output is of. Of two classes one output says all: how much more likely the last one is. */
function namesOf({ preprocessing }: VerifiedPackage, outputs: number): readonly string[] {
  const kind = labelKindOrThrow(preprocessing.label.kind);
  if (kind.task === 'regression') return [];
  return outputs === kind.classes.length ? kind.classes : kind.classes.slice(-1);
}
