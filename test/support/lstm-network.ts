import { createHash } from 'node:crypto';
import type { ExportContext } from '../../core/models/model.ts';
import type { DenseWeights, LstmNetWeights } from '../../core/onnx/networks.ts';
import { fillUniform } from '../../core/predict/noise.ts';

/** Uniform numbers in [0, 1) for tests, by a seed in words. */
export function uniformBy(seed: string): () => number {
  const key = createHash('sha256').update(seed).digest();
  let [drawn, at] = [new Float32Array(0), 0];
  return () => {
    if (at === drawn.length) {
      drawn = new Float32Array(Math.max(1024, 2 * at));
      fillUniform(drawn, 0, drawn.length, key);
    }
    return drawn[at++]!;
  };
}

export function normalBy(seed: string): () => number {
  const uniform = uniformBy(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

export interface NetworkShape {
  readonly lookback: number;
  readonly features: number;
  readonly units: readonly number[];
  readonly dense: readonly number[];
  readonly branch: number;
  readonly horizons: readonly number[];
  readonly rates: LstmNetWeights['rates'];
  /** Above 0: one layer of logits instead of branches. */
  readonly classes?: number;
}

export const SMALL: NetworkShape = {
  lookback: 12,
  features: 7,
  units: [6, 5],
  dense: [8],
  branch: 6,
  horizons: [7, 14, 30],
  rates: { dropout: 0.2, recurrentDropout: 0.2 },
};

/** Random weights that drive the gates well, and scalers of very different levels. */
export function randomNetwork(
  seed: string,
  shape: NetworkShape = SMALL,
): { weights: LstmNetWeights; ctx: ExportContext } {
  const normal = normalBy(seed);
  const uniform = uniformBy(`${seed}/uniform`);
  const fill = (n: number, sd: number): Float32Array =>
    Float32Array.from({ length: n }, () => sd * normal());
  const positive = (n: number): Float32Array =>
    Float32Array.from({ length: n }, () => 0.3 + uniform());
  const dense = (inputs: number, units: number): DenseWeights => ({
    inputs,
    units,
    kernel: fill(inputs * units, 1.5 / Math.sqrt(inputs)),
    bias: fill(units, 0.1),
  });
  let inputs = shape.features;
  const lstm = shape.units.map((units) => {
    const layer = {
      inputs,
      units,
      kernel: fill(inputs * 4 * units, 2 / Math.sqrt(inputs)),
      recurrent: fill(units * 4 * units, 1 / Math.sqrt(units)),
      bias: fill(4 * units, 0.3),
      gamma: positive(units),
      beta: fill(units, 0.2),
      movingMean: fill(units, 0.2),
      movingVariance: positive(units),
    };
    inputs = units;
    return layer;
  });
  const shared = shape.dense.map((units) => {
    const layer = dense(inputs, units);
    inputs = units;
    return layer;
  });
  const { classes = 0 } = shape;
  const logits = classes > 0 ? { output: dense(inputs, shape.horizons.length * classes) } : {};
  const branches = (classes > 0 ? [] : shape.horizons).map(() => ({
    hidden: dense(inputs, shape.branch),
    output: { kernel: fill(shape.branch, 1), bias: 0.1 * normal() },
  }));
  const level = Array.from({ length: shape.features }, () => 10 ** (6 * uniform() - 2));
  return {
    weights: {
      lstm,
      dense: shared,
      branches,
      ...logits,
      batchNormEpsilon: 1e-3,
      rates: shape.rates,
    },
    ctx: {
      featureNames: level.map((_, i) => `feature_${i}`),
      lookback: shape.lookback,
      horizons: shape.horizons,
      scalers: {
        features: {
          kind: 'minmax',
          offset: level.map((l) => 0.8 * l),
          factor: level.map((l) => 1 / (0.4 * l)),
          clip: [-0.5, 1.5],
        },
        labels: {
          kind: 'minmax',
          offset: shape.horizons.map((h) => -0.01 * h),
          factor: shape.horizons.map((h) => 1 / (0.02 * h)),
        },
      },
      classes,
      multiplyByClose: false,
    },
  };
}

/** `n` raw windows [n, lookback, features] inside the scalers' range, some values beyond the clip. */
export function randomWindows(ctx: ExportContext, n: number, seed: string): Float64Array {
  const uniform = uniformBy(seed);
  const { offset, factor } = ctx.scalers.features;
  const f = offset.length;
  return Float64Array.from({ length: n * ctx.lookback * f }, (_, i) => {
    const beyond = uniform() < 0.02 ? 3 : 1;
    return offset[i % f]! + (beyond * uniform()) / factor[i % f]!;
  });
}

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** Masks of one sample in the order of the noise columns; ones when dropout is off. */
type Masks = (width: number, rate: number) => Float64Array;

function masksOf(noise: Float32Array | undefined): Masks {
  let column = 0;
  return (width, rate) => {
    if (!noise) return new Float64Array(width).fill(1);
    const part = noise.subarray(column, (column += width));
    return Float64Array.from(part, (u) => (u >= Math.fround(rate) ? 1 / (1 - rate) : 0));
  };
}

const linearRow = (x: Float64Array, w: DenseWeights): Float64Array =>
  Float64Array.from({ length: w.units }, (_, u) => {
    let sum = w.bias[u]!;
    for (let i = 0; i < w.inputs; i++) sum += x[i]! * w.kernel[i * w.units + u]!;
    return sum;
  });

const denseRow = (x: Float64Array, w: DenseWeights, mask: Float64Array): Float64Array =>
  linearRow(x, w).map((sum, u) => Math.max(0, sum) * mask[u]!);

/** Probabilities of each horizon's classes. */
function shares(logits: Float64Array, classes: number): Float64Array {
  const odds = logits.map(Math.exp);
  return odds.map((odd, at) => {
    const from = at - (at % classes);
    return odd / odds.subarray(from, from + classes).reduce((a, b) => a + b, 0);
  });
}

function lstmRows(
  rows: Float64Array[],
  w: LstmNetWeights['lstm'][number],
  inputMask: Float64Array,
  recurrentMask: Float64Array,
  epsilon: number,
): Float64Array[] {
  const u4 = 4 * w.units;
  let h: Float64Array = new Float64Array(w.units);
  let c: Float64Array = new Float64Array(w.units);
  return rows.map((row) => {
    const z = Float64Array.from(w.bias);
    for (let j = 0; j < u4; j++) {
      for (let i = 0; i < w.inputs; i++) z[j]! += row[i]! * inputMask[i]! * w.kernel[i * u4 + j]!;
      for (let i = 0; i < w.units; i++)
        z[j]! += h[i]! * recurrentMask[i]! * w.recurrent[i * u4 + j]!;
    }
    const gate = (k: number, u: number): number => z[k * w.units + u]!;
    c = c.map((v, u) => sigmoid(gate(1, u)) * v + sigmoid(gate(0, u)) * Math.tanh(gate(2, u)));
    h = c.map((v, u) => sigmoid(gate(3, u)) * Math.tanh(v));
    return h.map((v, u) => {
      const standardised = (v - w.movingMean[u]!) / Math.sqrt(w.movingVariance[u]! + epsilon);
      return standardised * w.gamma[u]! + w.beta[u]!;
    });
  });
}

/**
 * The network in plain float64 arithmetic, straight from Keras' formulas: an independent reading of what
 * the graphs must compute. `window` [lookback, features] raw; `noise` [noiseWidth] turns dropout on.
 */
export function referenceForecast(
  weights: LstmNetWeights,
  ctx: ExportContext,
  window: Float64Array,
  noise?: Float32Array,
): Float64Array {
  const mask = masksOf(noise);
  const { dropout, recurrentDropout } = weights.rates;
  const { offset, factor, clip } = ctx.scalers.features;
  const f = offset.length;
  const [low, high] = clip ?? [-Infinity, Infinity];
  let rows: Float64Array[] = Array.from({ length: ctx.lookback }, (_, t) =>
    window
      .slice(t * f, (t + 1) * f)
      .map((v, i) => Math.min(high, Math.max(low, (v - offset[i]!) * factor[i]!))),
  );
  for (const w of weights.lstm) {
    const inputMask = mask(w.inputs, dropout);
    rows = lstmRows(rows, w, inputMask, mask(w.units, recurrentDropout), weights.batchNormEpsilon);
  }
  let x = rows.at(-1)!;
  for (const w of weights.dense) x = denseRow(x, w, mask(w.units, dropout));
  if (weights.output) {
    if (weights.dense.length === 0) {
      const last = mask(x.length, dropout);
      x = x.map((v, u) => v * last[u]!);
    }
    return shares(linearRow(x, weights.output), ctx.classes);
  }
  return Float64Array.from(weights.branches, ({ hidden, output }, k) => {
    const branch = denseRow(x, hidden, mask(hidden.units, dropout));
    const y = branch.reduce((sum, v, u) => sum + v * output.kernel[u]!, output.bias);
    return y / ctx.scalers.labels.factor[k]! + ctx.scalers.labels.offset[k]!;
  });
}
