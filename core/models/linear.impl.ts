import type { LinearWeights } from '../onnx/linear.ts';
import { leastSquares } from './least-squares.ts';
import {
  applyLinear,
  columnMeans,
  fittedLinear,
  linearDigest,
  mseByHorizon,
  restoreLinear,
} from './linear-model.ts';
import type { FitContext, FitSummary, ModelImplementation, Samples } from './model.ts';
import { assertUsable, scaleLabels, scaleLastRows } from './scaled.ts';

/**
 * Ordinary least squares on the last row of each scaled window.
 * Formula: with columns centred on the training rows, b = X^+ y (the pseudo-inverse, see `least-squares.ts`) and the
 * intercept mean(y) - mean(x) b.
 */

const KIND = 'linear-model';

function solve(train: Samples, { features, labels }: FitContext['scalers']): LinearWeights {
  assertUsable(train, 'train', 'last-row');
  const [f, h] = [train.featureCount, train.horizons.length];
  const x = scaleLastRows(train, features);
  const y = scaleLabels(train, labels);
  const [xMean, intercepts] = [columnMeans(x, f), columnMeans(y, h)];
  for (let at = 0; at < x.length; at++) x[at]! -= xMean[at % f]!;
  for (let at = 0; at < y.length; at++) y[at]! -= intercepts[at % h]!;
  const { coefficients } = leastSquares(x, y, f, h);
  coefficients.forEach((b, at) => (intercepts[at % h]! -= xMean[Math.floor(at / h)]! * b));
  return { coefficients, intercepts };
}

export const implementation: ModelImplementation<Record<string, never>> = {
  async fit(_params, train, valid, { scalers, signal }) {
    assertUsable(valid, 'valid', 'last-row');
    signal.throwIfAborted();
    const model = solve(train, scalers);
    const predicted = applyLinear(
      model,
      scaleLastRows(valid, scalers.features),
      train.featureCount,
    );
    const h = train.horizons.length;
    const mse = mseByHorizon(predicted, scaleLabels(valid, scalers.labels), h);
    const summary: FitSummary = {
      epochsRun: 1,
      bestEpoch: 1,
      bestValidLoss: mse.reduce((a, b) => a + b, 0) / h,
      weightsDigest: linearDigest(model),
      history: [],
    };
    return fittedLinear(KIND, { model, classes: 0, scalers, summary });
  },
  async refit(_params, twin, train, { scalers }) {
    const model = solve(train, scalers);
    const summary: FitSummary = { ...twin, weightsDigest: linearDigest(model) };
    return fittedLinear(KIND, { model, classes: 0, scalers, summary });
  },
  restore: async (bytes) => restoreLinear(KIND, bytes),
};
