import { z } from 'zod';
import { RatchetError } from '../../errors.ts';
import { solveBoxProgram } from './box-program.ts';
import { meanOf, shrunkCovariance } from './covariance.ts';

/** How much may be invested. */
export interface Limits {
  /** Of one column, 0..1. */
  readonly maxWeight: number;
  /** Of all together, 0..1; the rest is cash. */
  readonly maxTotal: number;
}

/**
 * A rule that shares money out over columns of returns. Long only: weights are >= 0, each at most `maxWeight`, together at
 * most `maxTotal`. Columns have one length and are finite.
 */
export interface Allocation<P extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly docs: string;
  readonly params: P;
  readonly traits: {
    /** It weighs by what the returns were: a column that did not move has nothing to be weighed by, and gets nothing. */
    readonly readsReturns: boolean;
  };
  weigh(columns: readonly Float64Array[], limits: Limits, params: z.output<P>): Float64Array;
}

const defineAllocation = <P extends z.ZodObject>(allocation: Allocation<P>): Allocation<P> =>
  Object.freeze(allocation);

/** As much as is allowed, by these ratios; what a capped column cannot take the others get. */
function byRatios(ratios: Float64Array, { maxWeight, maxTotal }: Limits): Float64Array {
  const weights = new Float64Array(ratios.length);
  let open = Array.from(ratios.keys());
  let left = maxTotal;
  while (open.length > 0) {
    const all = open.reduce((sum, i) => sum + ratios[i]!, 0);
    const full = open.filter((i) => (left * ratios[i]!) / all >= maxWeight);
    if (full.length === 0) {
      for (const i of open) weights[i] = (left * ratios[i]!) / all;
      break;
    }
    for (const i of full) weights[i] = maxWeight;
    left -= full.length * maxWeight;
    open = open.filter((i) => !full.includes(i));
  }
  return weights;
}

export const equal = defineAllocation({
  name: 'equal',
  docs: 'The same weight for each column.',
  params: z.strictObject({}),
  traits: { readsReturns: false },
  weigh: (columns, limits) => byRatios(new Float64Array(columns.length).fill(1), limits),
});

export const inverseVolatility = defineAllocation({
  name: 'inverse-volatility',
  docs: 'Weights in proportion to 1 / SD (ddof 0) of the returns.',
  params: z.strictObject({}),
  traits: { readsReturns: true },
  weigh: (columns, limits) =>
    byRatios(
      Float64Array.from(columns, (x) => 1 / sdOf(x)),
      limits,
    ),
});

function sdOf(x: Float64Array): number {
  const mean = meanOf(x);
  return Math.sqrt(meanOf(x.map((value) => (value - mean) ** 2)));
}

export const minimumVariance = defineAllocation({
  name: 'minimum-variance',
  docs:
    'The weights that add up to as much as is allowed and have the least variance, by the covariance of Ledoit and Wolf ' +
    '(2004), solved exactly.',
  params: z.strictObject({}),
  traits: { readsReturns: true },
  weigh: (columns, { maxWeight, maxTotal }) =>
    solveBoxProgram({
      quadratic: shrunkCovariance(columns).matrix,
      linear: new Float64Array(columns.length),
      upper: maxWeight,
      total: Math.min(maxTotal, columns.length * maxWeight),
    }),
});

export const kelly = defineAllocation({
  name: 'kelly',
  docs:
    "A fraction of the weights that let money grow fastest, maximising fraction x mean'w - w'Cov w / 2 within the limits: " +
    'what does not pay stays cash. Means are estimated from few returns, hence the fraction and the caps.',
  params: z.strictObject({
    fraction: z.number().positive().max(1).default(0.5).describe('0.5: half Kelly.'),
  }),
  traits: { readsReturns: true },
  weigh: (columns, { maxWeight, maxTotal }, { fraction }) => {
    const quadratic = shrunkCovariance(columns).matrix;
    const linear = Float64Array.from(columns, (x) => fraction * meanOf(x));
    const weights = solveBoxProgram({ quadratic, linear, upper: maxWeight });
    const total = weights.reduce((a, b) => a + b, 0);
    // The problem is convex: where the limit on the sum is broken without it, it holds with equality.
    if (total <= maxTotal) return weights;
    return solveBoxProgram({ quadratic, linear, upper: maxWeight, total: maxTotal });
  },
});

/** All allocations. A new one: an entry above and a line here. */
const entries = [equal, inverseVolatility, minimumVariance, kelly] as const;
export const allocations: readonly Allocation[] = entries;

/** The allocation of that name; throws `portfolio.unknown-allocation`. */
export function allocationOrThrow(name: string): Allocation {
  const found = allocations.find((allocation) => allocation.name === name);
  if (found) return found;
  throw new RatchetError('portfolio.unknown-allocation', `no allocation is named "${name}"`);
}

export interface AllocationSpec {
  readonly kind: string;
  readonly [param: string]: unknown;
}

const alternatives = allocations.map(({ name, docs, params }) =>
  params.extend({ kind: z.literal(name).describe(docs) }),
);

export const allocationSchema = z.discriminatedUnion(
  'kind',
  alternatives as [(typeof alternatives)[number], ...typeof alternatives],
) as z.ZodType as z.ZodType<AllocationSpec>;
