import { type Combiner, POOL_FLOOR } from '../../onnx/combined.ts';
import type { ScalerState } from '../../scaling/scaler.ts';
import type { Samples } from '../model.ts';
import { softmax } from '../network/head.ts';
import { meanOf, outputsOf, type Answers, type OutputShape } from './combiner.ts';
import { minimise, type Convex } from './minimise.ts';

/** How a pool's weights are found. */
export interface StackerParams {
  /** Rows that speak for equal weights. */
  readonly penalty: number;
  readonly nonNegative: boolean;
}

/** Least spread of forecasts that counts: constant ones leave the weights to the penalty. */
const SPREAD_MIN = 1e-12;

/**
 * Weights and offset of one horizon of a quantity, for values that are standardised.
 * Formula: the minimum of 1/2 sum_t (y_t - b - sum_i w_i f_ti)^2 + 1/2 penalty v |w - 1/M|^2, v the mean variance of the
 * members' forecasts: the penalty counts rows.
 */
function squares(f: readonly Float64Array[], y: Float64Array, penalty: number): Convex {
  const [m, n] = [f.length, y.length];
  const size = m + 1;
  const columns = [...f, new Float64Array(n).fill(1)];
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, v, t) => s + v * b[t]!, 0);
  const gram = Float64Array.from({ length: size * size }, (_, at) =>
    dot(columns[Math.floor(at / size)]!, columns[at % size]!),
  );
  const moments = columns.map((column) => dot(column, y));
  const total = dot(y, y);
  const variances = f.map((own, i) => gram[i * size + i]! / n - (moments1(own) / n) ** 2);
  const pull = penalty * Math.max(meanOf(variances), SPREAD_MIN);
  return (at) => {
    const hessian = gram.slice();
    const gradient = new Float64Array(size);
    let value = total / 2;
    for (let i = 0; i < size; i++) {
      let product = 0;
      for (let j = 0; j < size; j++) product += gram[i * size + j]! * at[j]!;
      gradient[i] = product - moments[i]!;
      value += at[i]! * (product / 2 - moments[i]!);
      if (i === m) continue;
      const away = at[i]! - 1 / m;
      gradient[i]! += pull * away;
      value += (pull / 2) * away ** 2;
      hessian[i * size + i]! += pull;
    }
    return { value, gradient, hessian };
  };
}

const moments1 = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

/** Rows that speak for an offset of 0: only what makes the minimum one point. */
const OFFSET_PENALTY = 1;

/** Logarithms of K probabilities, one array [rows x K] a member. */
type Logs = readonly Float64Array[];

/** Mean variance over the classes of a member's log probabilities, as the mean of all sees them. */
function spreadOf(logs: Logs, classes: number): number {
  const rows = logs[0]!.length / classes;
  let sum = 0;
  for (let t = 0; t < rows; t++) {
    const score = Array.from({ length: classes }, (_, c) =>
      meanOf(logs.map((own) => own[t * classes + c]!)),
    );
    const p = softmax(score, classes);
    for (const own of logs) {
      const of = own.subarray(t * classes, (t + 1) * classes);
      const mean = of.reduce((s, v, c) => s + p[c]! * v, 0);
      sum += of.reduce((s, v, c) => s + p[c]! * (v - mean) ** 2, 0);
    }
  }
  return sum / (rows * logs.length);
}

/**
 * The same of classes.
 * Formula: the minimum of sum_t -ln q_t(y_t) + 1/2 penalty v |w - 1/M|^2 + 1/2 |b|^2, q_t = softmax_c(b_c + sum_i w_i ln
 * p_tic): a logarithmic opinion pool (Genest and Zidek, 1986) with offsets. v: the mean variance of ln p over classes.
 */
function logLoss(logs: Logs, y: Float64Array, classes: number, penalty: number): Convex {
  const m = logs.length;
  const size = m + classes;
  const pull = penalty * Math.max(spreadOf(logs, classes), SPREAD_MIN);
  return (at) => {
    const gradient = new Float64Array(size);
    const hessian = new Float64Array(size * size);
    let value = 0;
    // What a class's score moves by with each variable.
    const x = new Float64Array(classes * size);
    for (let c = 0; c < classes; c++) x[c * size + m + c] = 1;
    const mean = new Float64Array(size);
    for (let t = 0; t < y.length; t++) {
      const scores = new Float64Array(classes);
      for (let c = 0; c < classes; c++) {
        scores[c] = at[m + c]!;
        for (let i = 0; i < m; i++) {
          const log = logs[i]![t * classes + c]!;
          x[c * size + i] = log;
          scores[c]! += at[i]! * log;
        }
      }
      const q = softmax(scores, classes);
      value -= Math.log(Math.max(q[y[t]!]!, Number.MIN_VALUE));
      mean.fill(0);
      for (let c = 0; c < classes; c++) {
        for (let i = 0; i < size; i++) {
          const own = x[c * size + i]!;
          mean[i]! += q[c]! * own;
          gradient[i]! += (q[c]! - (c === y[t] ? 1 : 0)) * own;
          for (let j = 0; j <= i; j++) hessian[i * size + j]! += q[c]! * own * x[c * size + j]!;
        }
      }
      for (let i = 0; i < size; i++) {
        for (let j = 0; j <= i; j++) hessian[i * size + j]! -= mean[i]! * mean[j]!;
      }
    }
    for (let i = 0; i < size; i++) {
      const [strength, home] = i < m ? [pull, 1 / m] : [OFFSET_PENALTY, 0];
      gradient[i]! += strength * (at[i]! - home);
      value += (strength / 2) * (at[i]! - home) ** 2;
      hessian[i * size + i]! += strength;
      for (let j = 0; j < i; j++) hessian[j * size + i] = hessian[i * size + j]!;
    }
    return { value, gradient, hessian };
  };
}

/** The horizon's share of row-major [rows x horizons x outputs]. */
function atHorizon(values: Float64Array, k: number, { horizons }: OutputShape, outputs: number) {
  const rows = values.length / (horizons * outputs);
  const out = new Float64Array(rows * outputs);
  for (let t = 0; t < rows; t++) {
    const from = (t * horizons + k) * outputs;
    out.set(values.subarray(from, from + outputs), t * outputs);
  }
  return out;
}

/** A linear combination, horizon by horizon, of what members said of samples that they had not learnt from. */
export function fitPool(
  answers: Answers,
  samples: Samples,
  { penalty, nonNegative }: StackerParams,
  scaler: ScalerState,
): Combiner {
  const { classes } = samples;
  const shape = { horizons: samples.horizons.length, classes };
  const [m, outputs] = [answers.length, outputsOf(shape)];
  const bounded = [...answers.map(() => nonNegative), ...Array<boolean>(outputs).fill(false)];
  const start = Float64Array.from(bounded, (_, i) => (i < m ? 1 / m : 0));
  const solved = samples.horizons.map((_, k) => {
    const [offset, factor] = [scaler.offset[k]!, scaler.factor[k]!];
    const own = answers.map((answer) => atHorizon(answer, k, shape, outputs));
    const y = atHorizon(samples.labels, k, shape, 1);
    if (classes > 0) {
      const logs = own.map((p) => p.map((value) => Math.log(Math.max(value, POOL_FLOOR))));
      const at = minimise(logLoss(logs, y, classes, penalty), start, bounded);
      return { weights: [...at.subarray(0, m)], offsets: [...at.subarray(m)] };
    }
    const scaled = (values: Float64Array) => values.map((value) => (value - offset) * factor);
    const at = minimise(squares(own.map(scaled), scaled(y), penalty), start, bounded);
    const weights = [...at.subarray(0, m)];
    const sum = weights.reduce((a, b) => a + b, 0);
    return { weights, offsets: [at[m]! / factor + offset * (1 - sum)] };
  });
  return {
    kind: 'pool',
    weights: solved.map(({ weights }) => weights),
    offsets: solved.map(({ offsets }) => offsets),
  };
}
