import { shareOf, type Point } from './point.ts';
import type { Outcome } from './search-method.ts';
import type { Dimension, Space } from './space.ts';

export interface Importance {
  readonly path: string;
  /** Share of the variance of the trials' ranks, in [0, 1]; null: too few trials to say. */
  readonly share: number | null;
}

/** Below this a share would be chance. */
const TRIALS_MIN = 8;
/** Width of the smoother, of the range of a number. */
const BANDWIDTH = 0.15;

/**
 * How much each hyperparameter alone explains of how trials rank.
 * Formula: max(0, 1 - sum (r_i - m(x_i))^2 / sum (r_i - mean of the others)^2) over trials i, r the ranks (further rungs
 * first, then the smaller loss; ties share their mean rank), m the mean rank of the *other* trials: of a choice those with
 * the same value, of a number all, weighted by a Gaussian of width 0.15 of the range on its scale. This is the first-order
 * effect of an analysis of variance (Sobol 1993; for hyperparameters Hutter et al. 2014) of a leave-one-out smoother.
 * Ranks, because one diverged loss would be all of the variance. Interactions of several hyperparameters are not seen.
 * Edge: fewer than 8 trials: null; all trials alike: 0.
 */
export function importancesOf(space: Space, outcomes: readonly Outcome[]): readonly Importance[] {
  if (outcomes.length < TRIALS_MIN) return space.map(({ path }) => ({ path, share: null }));
  const ranks = ranksOf(outcomes);
  const total = ranks.reduce((sum, r, i) => sum + (r - meanOfOthers(ranks, i, () => 1)) ** 2, 0);
  return space.map((dimension) => {
    const weight = kernelOf(
      dimension,
      outcomes.map(({ point }) => point),
    );
    const left = ranks.reduce(
      (sum, r, i) => sum + (r - meanOfOthers(ranks, i, (j) => weight(i, j))) ** 2,
      0,
    );
    return { path: dimension.path, share: total === 0 ? 0 : Math.max(0, 1 - left / total) };
  });
}

/** Weighted mean of all values but the i-th; the plain mean where all weights are 0. */
function meanOfOthers(values: readonly number[], i: number, weight: (j: number) => number): number {
  let [sum, weights, plain] = [0, 0, 0];
  values.forEach((value, j) => {
    if (j === i) return;
    const w = weight(j);
    sum += w * value;
    weights += w;
    plain += value;
  });
  return weights > 0 ? sum / weights : plain / (values.length - 1);
}

function kernelOf(
  dimension: Dimension,
  points: readonly Point[],
): (i: number, j: number) => number {
  const values = points.map((point) => point[dimension.path]);
  if (dimension.kind === 'choice') {
    const keys = values.map((value) => JSON.stringify(value));
    return (i, j) => (keys[i] === keys[j] ? 1 : 0);
  }
  const shares = values.map((value) => shareOf(dimension, value as number));
  return (i, j) => Math.exp(-0.5 * ((shares[i]! - shares[j]!) / BANDWIDTH) ** 2);
}

/** Ranks from 1, the best first; equals share the mean of theirs. */
export function ranksOf(outcomes: readonly Outcome[]): number[] {
  const order = [...outcomes.keys()].sort((a, b) => compare(outcomes[a]!, outcomes[b]!));
  const ranks = new Array<number>(outcomes.length).fill(0);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && compare(outcomes[order[from]!]!, outcomes[order[to]!]!) === 0) to++;
    for (let at = from; at < to; at++) ranks[order[at]!] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

/** Further first, then the smaller loss. */
export const compare = (a: Outcome, b: Outcome): number =>
  b.rungs - a.rungs || (a.loss === b.loss ? 0 : a.loss < b.loss ? -1 : 1);
