import { RatchetError } from '../errors.ts';
import { choleskyFactor, solveCholesky } from '../metrics/cholesky.ts';
import type { LinearWeights } from '../onnx/linear.ts';
import {
  applyLinear,
  columnMeans,
  emptyLinear,
  fittedLinear,
  linearDigest,
  mseByHorizon,
  restoreLinear,
  takeOutputs,
} from './linear-model.ts';
import {
  type FitContext,
  type FitSummary,
  type ModelImplementation,
  type Samples,
  twinLacks,
} from './model.ts';
import type { RidgeParams } from './ridge.ts';
import { assertUsable, scaleLabels, scaleLastRows } from './scaled.ts';

/**
 * Ridge regression (Hoerl and Kennard, 1970) on the last row of each scaled window.
 * Formula: with columns centred on the training rows, b(alpha) = (X'X + alpha I)^-1 X'y and the
 * intercept mean(y) - mean(x) b, so it is not penalised.
 * Edge cases: a constant column has X'X = 0 and gets the coefficient 0; more columns than rows is
 * fine because every alpha is above 0; ties between alphas go to the larger one.
 */

const KIND = 'ridge-model';

type Scalers = FitContext['scalers'];

interface NormalEquations {
  readonly gram: Float64Array;
  /** X'y, one array per horizon. */
  readonly moments: readonly Float64Array[];
  readonly xMean: Float64Array;
  readonly yMean: Float64Array;
}

function normalEquations(x: Float64Array, y: Float64Array, f: number, h: number): NormalEquations {
  const rows = x.length / f;
  const xMean = columnMeans(x, f);
  const yMean = columnMeans(y, h);
  const gram = new Float64Array(f * f);
  const moments = Array.from({ length: h }, () => new Float64Array(f));
  const row = new Float64Array(f);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < f; c++) row[c] = x[r * f + c]! - xMean[c]!;
    for (let i = 0; i < f; i++) {
      const xi = row[i]!;
      for (let j = 0; j <= i; j++) gram[i * f + j]! += xi * row[j]!;
      for (let k = 0; k < h; k++) moments[k]![i]! += xi * (y[r * h + k]! - yMean[k]!);
    }
  }
  return { gram, moments, xMean, yMean };
}

function solve(equations: NormalEquations, alpha: number, f: number, h: number): LinearWeights {
  const penalised = equations.gram.slice();
  for (let i = 0; i < f; i++) penalised[i * f + i]! += alpha;
  const l = choleskyFactor(penalised, f);
  if (!l) throw new RatchetError('training.singular', 'ridge: X is not finite');
  const coefficients = new Float64Array(f * h);
  const intercepts = new Float64Array(h);
  for (let k = 0; k < h; k++) {
    const b = solveCholesky(l, f, equations.moments[k]!.slice());
    let intercept = equations.yMean[k]!;
    for (let i = 0; i < f; i++) {
      coefficients[i * h + k] = b[i]!;
      intercept -= equations.xMean[i]! * b[i]!;
    }
    intercepts[k] = intercept;
  }
  return { coefficients, intercepts };
}

/** The solution with an alpha for each horizon. */
function solveByHorizon(equations: NormalEquations, alpha: Float64Array): LinearWeights {
  const f = equations.xMean.length;
  const model = emptyLinear(f, alpha.length);
  for (const candidate of new Set(alpha)) {
    const solved = solve(equations, candidate, f, alpha.length);
    alpha.forEach((chosen, k) => {
      if (chosen === candidate) takeOutputs(solved, model, k, 1);
    });
  }
  return model;
}

/** Takes, horizon by horizon, the alpha with the least validation MSE. */
function chooseByValidation(
  alphas: readonly number[],
  equations: NormalEquations,
  validX: Float64Array,
  validY: Float64Array,
): { model: LinearWeights; loss: Float64Array; alpha: Float64Array } {
  const f = equations.xMean.length;
  const h = equations.yMean.length;
  const loss = new Float64Array(h).fill(Infinity);
  const alpha = new Float64Array(h);
  const model = emptyLinear(f, h);
  for (const candidate of alphas.toSorted((a, b) => b - a)) {
    const trial = solve(equations, candidate, f, h);
    const mse = mseByHorizon(applyLinear(trial, validX, f), validY, h);
    for (let k = 0; k < h; k++) {
      if (mse[k]! >= loss[k]!) continue;
      loss[k] = mse[k]!;
      alpha[k] = candidate;
      takeOutputs(trial, model, k, 1);
    }
  }
  return { model, loss, alpha };
}

function equationsOf(train: Samples, { features, labels }: Scalers): NormalEquations {
  assertUsable(train, 'train', 'last-row');
  const x = scaleLastRows(train, features);
  return normalEquations(x, scaleLabels(train, labels), train.featureCount, train.horizons.length);
}

export const implementation: ModelImplementation<RidgeParams> = {
  async fit(params, train, valid, ctx) {
    assertUsable(valid, 'valid', 'last-row');
    const { features, labels } = ctx.scalers;
    const equations = equationsOf(train, ctx.scalers);
    ctx.signal.throwIfAborted();
    const { model, loss, alpha } = chooseByValidation(
      params.alphas,
      equations,
      scaleLastRows(valid, features),
      scaleLabels(valid, labels),
    );
    const summary: FitSummary = {
      epochsRun: 1,
      bestEpoch: 1,
      bestValidLoss: loss.reduce((a, b) => a + b, 0) / loss.length,
      weightsDigest: linearDigest(model),
      history: [],
      chosen: { alpha: [...alpha] },
    };
    return fittedLinear(KIND, { model, classes: 0, scalers: ctx.scalers, summary });
  },
  async refit(_params, twin, train, ctx) {
    const alpha = Float64Array.from(twin.chosen?.['alpha'] ?? []);
    if (alpha.length !== train.horizons.length) throw twinLacks('a penalty for each horizon');
    const model = solveByHorizon(equationsOf(train, ctx.scalers), alpha);
    const summary: FitSummary = { ...twin, weightsDigest: linearDigest(model) };
    return fittedLinear(KIND, { model, classes: 0, scalers: ctx.scalers, summary });
  },
  restore: async (bytes) => restoreLinear(KIND, bytes),
};
