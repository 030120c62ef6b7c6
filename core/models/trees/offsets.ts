import { softmax } from '../network/head.ts';
import { scoresOf, type TreeRows, type TreeTask } from './engine.ts';

const STEPS = 50;

/**
 * Constants, one a score, by which raw scores [rows x scores] are off on these rows: with them the mean answer is the
 * mean label. Regression: the mean residual; two classes: Newton's method on the log loss; more: iterative scaling. A
 * class without a row keeps its score.
 */
export function offsetsOf(task: TreeTask, raw: Float64Array, { y, weights }: TreeRows): number[] {
  const scores = scoresOf(task);
  const weightOf = (row: number): number => weights?.[row] ?? 1;
  const total = y.reduce((sum, _, row) => sum + weightOf(row), 0);
  const mean = (of: (row: number) => number): number =>
    y.reduce((sum, _, row) => sum + weightOf(row) * of(row), 0) / total;
  if (task.kind === 'regression') return [mean((row) => y[row]! - raw[row]!)];
  if (task.kind === 'binary') {
    let offset = 0;
    const p = (row: number): number => 1 / (1 + Math.exp(-raw[row]! - offset));
    const share = mean((row) => y[row]!);
    if (share === 0 || share === 1) return [0];
    for (let step = 0; step < STEPS; step++) {
      offset +=
        (share - mean(p)) /
        Math.max(
          mean((row) => p(row) * (1 - p(row))),
          1e-3,
        );
    }
    return [offset];
  }
  const offsets = new Array<number>(scores).fill(0);
  const shares = offsets.map((_, c) => mean((row) => (y[row] === c ? 1 : 0)));
  for (let step = 0; step < STEPS; step++) {
    const p = softmax(
      raw.map((score, at) => score + offsets[at % scores]!),
      scores,
    );
    shares.forEach((share, c) => {
      if (share > 0) offsets[c]! += Math.log(share / mean((row) => p[row * scores + c]!));
    });
  }
  return offsets;
}
