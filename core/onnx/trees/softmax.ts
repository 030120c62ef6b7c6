import type { Graph } from '../graph.ts';

/**
 * 2 B_2k / (2k)! for k = 6, 5, ..., 0, of Bernoulli's numbers: the series of r coth(r/2) in r^2.
 */
const COTH = [-691 / 653_837_184_000, 1 / 23_950_080, -1 / 604_800, 1 / 15_120, -1 / 360, 1 / 6, 2];

/** ln 2 as fdlibm parts it: whole multiples of the first, which ends in zeros, are exact. */
const [LN2_HIGH, LN2_LOW] = [6.9314718036912381649e-1, 1.90821492927058770002e-10];

/** Logits this far below the largest have no share: e^-1000 is 0. */
const FARTHEST = 1_000;

/**
 * Softmax over the last axis of `logits` [..., classes], of additions, multiplications and
 * divisions, each of which IEEE 754 rounds in one way: the same bits whoever computes it, for one
 * row or many. (The operator Softmax takes the exponential of whatever library it was built with,
 * of pairs and of single numbers by different ways.) Its power, 0.5 to a whole number, is exact.
 *
 * e^-d = 2^-n e^r with n = floor(d / ln 2 + 1/2) and r = n ln 2 - d, ln 2 in two parts; e^r = 1 + 2
 * r / (r coth(r/2) - r). Of 54,000 shares (2 to 4 classes, logits up to 1,200 apart) the worst was
 * off by 2.9 units in the last place, compared with 40 digits of the softmax of the differences d
 * as doubles have them.
 */
export function plainSoftmax(g: Graph, logits: string, classes: number): string {
  const number = (value: number): string => g.scalar(value, 'float64');
  const plus = (a: string, b: string): string => g.op('Add', [a, b]);
  const minus = (a: string, b: string): string => g.op('Sub', [a, b]);
  const times = (a: string, b: string): string => g.op('Mul', [a, b]);
  const over = (a: string, b: string): string => g.op('Div', [a, b]);
  const largest = g.op('ReduceMax', [logits, g.ints(-1)], { keepdims: { int: 1 } });
  const d = g.op('Min', [minus(largest, logits), number(FARTHEST)]);
  const n = g.op('Floor', [plus(times(d, number(1 / Math.LN2)), number(0.5))]);
  const r = plus(minus(times(n, number(LN2_HIGH)), d), times(n, number(LN2_LOW)));
  const square = times(r, r);
  const coth = COTH.map(number).reduce((sum, next) => plus(times(sum, square), next));
  const power = plus(over(plus(r, r), minus(coth, r)), number(1));
  const shares = times(power, g.op('Pow', [number(0.5), n]));
  const each = { axis: { int: -1 }, num_outputs: { int: classes } };
  return over(shares, g.opMany('Split', [shares], classes, each).reduce(plus));
}
