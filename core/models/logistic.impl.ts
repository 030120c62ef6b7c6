import { setImmediate } from 'node:timers/promises';
import type { LinearWeights } from '../onnx/linear.ts';
import {
  applyLinear,
  columnMeans,
  emptyLinear,
  fittedLinear,
  linearDigest,
  restoreLinear,
} from './linear-model.ts';
import type { LogisticParams } from './logistic.ts';
import {
  type FitContext,
  type FitSummary,
  type ModelImplementation,
  type Samples,
  twinLacks,
} from './model.ts';
import { logLossOf, softmax } from './network/head.ts';
import { assertUsable, scaleLastRows } from './scaled.ts';
import { centredGram, fitSoftmaxRegression } from './softmax-regression.ts';

/**
 * Logistic regression of each horizon's classes on the last row of each scaled window; see `softmax-regression.ts`.
 * Edge cases: a class without a training row gets the share of half a row, whatever the features; ties between
 * penalties go to the larger one.
 */

const KIND = 'logistic-model';

/** Training rows, ready to be solved for any penalty. */
interface Rows {
  readonly x: Float64Array;
  readonly mean: Float64Array;
  readonly gram: Float64Array;
  readonly train: Samples;
}

function rowsOf(train: Samples, { scalers }: FitContext): Rows {
  assertUsable(train, 'train', 'last-row');
  const f = train.featureCount;
  const x = scaleLastRows(train, scalers.features);
  const mean = columnMeans(x, f);
  for (let at = 0; at < x.length; at++) x[at]! -= mean[at % f]!;
  return { x, mean, gram: centredGram(x, f), train };
}

/** Weights of one horizon [f x classes] and its intercepts, for features that are not centred. */
function solve({ x, mean, gram, train }: Rows, penalty: number, k: number): LinearWeights {
  const { classes, featureCount: f, horizons, endRow, labels } = train;
  const label = (row: number): number => labels[row * horizons.length + k]!;
  const present = [...new Set(Array.from(endRow, (_, row) => label(row)))].toSorted(
    (a, b) => a - b,
  );
  const y = Uint8Array.from(endRow, (_, row) => present.indexOf(label(row)));
  const rows = { x, columns: f, y, classes: present.length, gram };
  const b = fitSoftmaxRegression(rows, penalty);
  const weights = emptyLinear(f, classes);
  const atMean = present.map((_, c) => b[c * (f + 1) + f]!);
  const all = Math.log(atMean.reduce((sum, intercept) => sum + Math.exp(intercept), 0));
  weights.intercepts.fill(all + Math.log(0.5 / endRow.length));
  present.forEach((place, c) => {
    let intercept = atMean[c]!;
    for (let i = 0; i < f; i++) {
      const coefficient = b[c * (f + 1) + i]!;
      weights.coefficients[i * classes + place] = coefficient;
      intercept -= mean[i]! * coefficient;
    }
    weights.intercepts[place] = intercept;
  });
  return weights;
}

/** Puts the weights of one horizon into those of all. */
function place(weights: LinearWeights, k: number, into: LinearWeights): void {
  const classes = weights.intercepts.length;
  const outputs = into.intercepts.length;
  into.intercepts.set(weights.intercepts, k * classes);
  for (let at = 0; at < weights.coefficients.length; at++) {
    const to = Math.floor(at / classes) * outputs + k * classes + (at % classes);
    into.coefficients[to] = weights.coefficients[at]!;
  }
}

/** Mean log loss of one horizon. */
function lossOf(weights: LinearWeights, x: Float64Array, valid: Samples, k: number): number {
  const { classes, horizons, labels, featureCount } = valid;
  const p = softmax(applyLinear(weights, x, featureCount), classes);
  let sum = 0;
  for (let row = 0; row < valid.endRow.length; row++) {
    sum += logLossOf(p[row * classes + labels[row * horizons.length + k]!]!);
  }
  return sum / valid.endRow.length;
}

interface Choice {
  readonly weights: LinearWeights;
  readonly penalty: number;
  readonly loss: number;
}

async function choose(
  penalties: readonly number[],
  rows: Rows,
  valid: { readonly samples: Samples; readonly x: Float64Array },
  k: number,
  { signal }: FitContext,
): Promise<Choice> {
  let best: Choice | undefined;
  for (const penalty of penalties.toSorted((a, b) => b - a)) {
    // Lets messages in and out: a cancel, a closed pipe.
    await setImmediate();
    signal.throwIfAborted();
    const weights = solve(rows, penalty, k);
    const loss = lossOf(weights, valid.x, valid.samples, k);
    if (!best || loss < best.loss) best = { weights, penalty, loss };
  }
  return best!;
}

export const implementation: ModelImplementation<LogisticParams> = {
  async fit(params, train, valid, ctx) {
    assertUsable(valid, 'valid', 'last-row');
    const rows = rowsOf(train, ctx);
    const validRows = { samples: valid, x: scaleLastRows(valid, ctx.scalers.features) };
    const { featureCount, classes, horizons } = train;
    const model = emptyLinear(featureCount, horizons.length * classes);
    const choices: Choice[] = [];
    for (const k of horizons.keys()) {
      const choice = await choose(params.penalties, rows, validRows, k, ctx);
      place(choice.weights, k, model);
      choices.push(choice);
    }
    const summary: FitSummary = {
      epochsRun: 1,
      bestEpoch: 1,
      bestValidLoss: choices.reduce((sum, { loss }) => sum + loss, 0) / choices.length,
      weightsDigest: linearDigest(model),
      history: [],
      chosen: { penalty: choices.map(({ penalty }) => penalty) },
    };
    return fittedLinear(KIND, { model, classes, scalers: ctx.scalers, summary });
  },
  async refit(_params, twin, train, ctx) {
    const penalties = twin.chosen?.['penalty'] ?? [];
    if (penalties.length !== train.horizons.length) throw twinLacks('a penalty for each horizon');
    const rows = rowsOf(train, ctx);
    const model = emptyLinear(train.featureCount, train.horizons.length * train.classes);
    penalties.forEach((penalty, k) => place(solve(rows, penalty, k), k, model));
    const summary: FitSummary = { ...twin, weightsDigest: linearDigest(model) };
    return fittedLinear(KIND, { model, classes: train.classes, scalers: ctx.scalers, summary });
  },
  restore: async (bytes) => restoreLinear(KIND, bytes),
};
