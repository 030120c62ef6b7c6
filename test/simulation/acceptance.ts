/** Are the counted false promotions within what chance explains at alpha = 5 %? */
import { ALPHA, type Count, type Method } from './protocol.ts';

/** All cells of a method together: 62 of 1,000. */
const OVERALL = 0.95;
/** One cell, of which there are many: 70 of 1,000. */
const ONE_CELL = 0.997;

/** Smallest k with P(binomial(n, share) <= k) >= probability. */
export function binomialQuantile(probability: number, n: number, share: number): number {
  let term = n * Math.log1p(-share);
  let sum = 0;
  for (let k = 0; k < n; k++) {
    sum += Math.exp(term);
    if (sum >= probability) return k;
    term += Math.log(((n - k) / (k + 1)) * (share / (1 - share)));
  }
  return n;
}

/** Which methods promise at most 5 %. The level of ten tries is the gate's promise, not that of one test at 5 %. */
const PROMISES: readonly Method[] = ['test', 'gate', 'sequence', 'eValue'];
const promised = ({ design, method }: Count): boolean =>
  PROMISES.includes(method) && !(design.name === 'N5' && method === 'test');

/** The most promotions that this count may have; null where promotion is right or nothing is promised. */
export function limitOf(count: Count): number | null {
  if (count.design.kind === 'power' || !promised(count)) return null;
  return bound(count);
}

const bound = ({ design, series }: Count): number =>
  design.kind === 'worse' ? ALPHA * series : binomialQuantile(ONE_CELL, series, ALPHA);

export interface Pooled {
  readonly method: Method;
  readonly cells: number;
  /** Mean over the cells of the promotions in all series. */
  readonly promoted: number;
  readonly limit: number;
}

/** All null cells of one method, for any method: a broken one must fail here. */
export function pooled(counts: readonly Count[], method: Method): Pooled {
  const nulls = counts.filter(
    (count) =>
      count.method === method &&
      count.design.kind === 'null' &&
      !(count.design.name === 'N5' && method === 'test'),
  );
  const series = nulls[0]?.series ?? 0;
  return {
    method,
    cells: nulls.length,
    promoted: nulls.reduce((sum, { promoted }) => sum + promoted, 0) / nulls.length,
    limit: binomialQuantile(OVERALL, series, ALPHA),
  };
}

/** What is outside its bound when `method` is held to 5 %, in words; empty: accepted. */
export function failures(counts: readonly Count[], method: Method): readonly string[] {
  const all = pooled(counts, method);
  const overall =
    all.promoted > all.limit
      ? [`${method}: ${all.promoted.toFixed(1)} on average, at most ${all.limit}`]
      : [];
  const mine = counts.filter(
    (count) =>
      count.method === method &&
      count.design.kind !== 'power' &&
      !(count.design.name === 'N5' && method === 'test'),
  );
  const single = mine
    .filter((count) => count.promoted > bound(count))
    .map(
      ({ cell, design, promoted, series }) =>
        `${method} (${cell.rows}, ${cell.horizon}) ${design.name}: ${promoted} of ${series}`,
    );
  return [...overall, ...single];
}
