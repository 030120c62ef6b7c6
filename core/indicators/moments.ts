import { minus, number, one, over, plus, sumOf, type Term, times } from './kernel.ts';
import type { BarPositions } from './positions.ts';
import {
  centreOf,
  type Statistic,
  windowMean,
  windowOf,
  windowSquares,
  type WindowStatistic,
  zeros,
} from './windows.ts';

/**
 * Sums over sliding windows that go beyond a mean and its squares, merged as in windows.ts: those of the parts, and what the
 * parts' means deviate from the mean of all (Pebay, 2008).
 */

/** What stands for two columns together where something is shared of both. */
function pairOf(x: Float64Array, y: Float64Array, positions: BarPositions): Float64Array {
  const pairs = positions.share(x, 'pairs', () => new Map<Float64Array, Float64Array>());
  let pair = pairs.get(y);
  if (pair === undefined) pairs.set(y, (pair = new Float64Array(0)));
  return pair;
}

/** Sum of products of deviations from the means of both windows; 0 exactly where one of them is constant. */
export const windowProducts = (
  x: Float64Array,
  y: Float64Array,
  n: number,
  positions: BarPositions,
): Float64Array => {
  if (n === 1) return zeros(positions);
  const products: Statistic = {
    name: 'products',
    of: [
      (_pair, p) => windowProducts(x, y, p, positions),
      (_pair, p) => windowMean(x, p, positions),
      (_pair, p) => windowMean(y, p, positions),
    ],
    ...mergedProducts,
  };
  return windowOf(products, pairOf(x, y, positions), n, positions);
};

const mergedProducts: Pick<Statistic, 'equal' | 'oneMore'> = {
  equal(parts, p) {
    const centreX = centreOf(parts.map(([, m]) => m!));
    const centreY = centreOf(parts.map(([, , m]) => m!));
    const about = parts.map(([, x, y]) => times(minus(x!, centreX), minus(y!, centreY)));
    return plus(sumOf(parts.map(([c]) => c!)), times(sumOf(about), p));
  },
  oneMore([c, mx, my], [, x, y], n) {
    const about = times(minus(x!, mx!), minus(y!, my!));
    return plus(c!, times(about, minus(one, over(one, n))));
  },
};

/** Sum of (i - centre) x over the last `n` values, i their place in the window; 0 exactly for a constant window. */
export const windowSlope: WindowStatistic = (x, n, positions) =>
  n === 1 ? zeros(positions) : windowOf(slope, x, n, positions);

const slope: Statistic = {
  name: 'slope',
  of: [windowSlope, windowMean],
  equal(parts, p) {
    const means = parts.map(([, m]) => m!);
    const k = parts.length;
    const across = Array.from({ length: Math.floor(k / 2) }, (_, i) =>
      times(minus(means[i]!, means[k - 1 - i]!), number((k - 1) / 2 - i)),
    );
    return plus(sumOf(parts.map(([b]) => b!)), times(sumOf(across), times(p, p)));
  },
  oneMore([b, m], [, x], n) {
    return plus(b!, times(times(minus(m!, x!), minus(n, one)), number(0.5)));
  },
};

/** Sum of cubed deviations from the window's own mean. */
export const windowCubes: WindowStatistic = (x, n, positions) =>
  n === 1 ? zeros(positions) : windowOf(cubes, x, n, positions);

const cubes: Statistic = {
  name: 'cubes',
  of: [windowCubes, windowSquares, windowMean],
  /** Each part's cubes, and for d = its mean less that of all: 3 d squares + p d^3. */
  equal(parts, p) {
    const centre = centreOf(parts.map(([, , m]) => m!));
    return sumOf(
      parts.map(([c, q, m]) => {
        const d = minus(m!, centre);
        return plus(c!, times(d, plus(threeTimes(q!), times(times(d, d), p))));
      }),
    );
  },
  oneMore([c, q, m], [, , x], n) {
    const p = minus(n, one);
    const d = over(minus(x!, m!), n);
    const weight = times(p, minus(times(p, p), one));
    return plus(c!, times(d, minus(times(times(d, d), weight), threeTimes(q!))));
  },
};

const threeTimes = (x: Term): Term => times(x, number(3));

/** Sum of the fourth powers of deviations from the window's own mean. */
export const windowQuarts: WindowStatistic = (x, n, positions) =>
  n === 1 ? zeros(positions) : windowOf(quarts, x, n, positions);

const quarts: Statistic = {
  name: 'quarts',
  of: [windowQuarts, windowCubes, windowSquares, windowMean],
  /** As for cubes: 4 d cubes + 6 d^2 squares + p d^4. */
  equal(parts, p) {
    const centre = centreOf(parts.map(([, , , m]) => m!));
    return sumOf(
      parts.map(([f, c, q, m]) => {
        const d = minus(m!, centre);
        const inner = plus(times(q!, number(6)), times(times(d, d), p));
        return plus(f!, times(d, plus(times(c!, number(4)), times(d, inner))));
      }),
    );
  },
  oneMore([f, c, q, m], [, , , x], n) {
    const p = minus(n, one);
    const d = over(minus(x!, m!), n);
    const weight = times(p, plus(times(p, times(p, p)), one));
    const inner = plus(times(q!, number(6)), times(times(d, d), weight));
    return plus(f!, times(d, minus(times(d, inner), times(c!, number(4)))));
  },
};
