import { logLossOf, softmax } from '../network/head.ts';
import { answersOf, type TreeRows, type TreeTask } from './engine.ts';

/** Loss of one booster over the rows of a part. */
export interface TreeLoss {
  /** Mean squared error in scaled units, or log loss weighted as in training. */
  readonly loss: number;
  /** Mean absolute error in scaled units; classes have none. */
  readonly mae?: number;
}

/** The loss of answers (row-major [rows x answers]); see `TreeLoss`. */
export function lossOf(task: TreeTask, answers: Float64Array, rows: TreeRows): TreeLoss {
  const { y, weights } = rows;
  const width = answersOf(task);
  let [loss, absolute] = [0, 0];
  for (let row = 0; row < y.length; row++) {
    const label = y[row]!;
    if (task.kind === 'regression') {
      const error = answers[row]! - label;
      loss += error * error;
      absolute += Math.abs(error);
    } else {
      loss += logLossOf(answers[row * width + label]!) * (weights?.[row] ?? 1);
    }
  }
  const mean = loss / y.length;
  return task.kind === 'regression' ? { loss: mean, mae: absolute / y.length } : { loss: mean };
}

/** Raw scores (row-major [rows x scores]) as answers; in double, so that probabilities add up to 1. */
export function answersFrom(task: TreeTask, raw: Float64Array): Float64Array {
  if (task.kind === 'regression') return raw;
  if (task.kind === 'multiclass') return softmax(raw, task.classes);
  const logits = new Float64Array(2 * raw.length);
  raw.forEach((logOdds, row) => {
    logits[2 * row + 1] = logOdds;
  });
  return softmax(logits, 2);
}
