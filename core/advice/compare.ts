import {
  evaluateBacktest,
  type BacktestResult,
  type BacktestRules,
  type EvaluateOptions,
  type InstrumentSeries,
} from '../backtest/index.ts';
import { sized } from './sizing.ts';
import { SIZE_MAX } from './size.ts';

export interface SizedSeries extends Omit<InstrumentSeries, 'targets'> {
  /** Of the strategy, -1..1 by bar; NaN: no opinion. */
  readonly positions: Float64Array;
  /** Advised by bar, 0.05..1. */
  readonly sizes: Float64Array;
}

export interface SizeComparison {
  /** Every position at `fixedSize`. */
  readonly fixed: BacktestResult;
  /** Every position at the mean advised size: what merely holding less, or more, would have brought. */
  readonly sameMean: BacktestResult;
  readonly advised: BacktestResult;
  /** Mean of the sizes over bars with a position that is not 0; `fixedSize` where there is none. */
  readonly meanSize: number;
}

/**
 * The same positions, bars, rules and costs with a fixed size and with the advised one. Advice that beats `fixed` and not
 * `sameMean` chose a size, not moments. Throws what `evaluateBacktest` and `sized` throw.
 */
export function compareSizes(
  given: readonly SizedSeries[],
  rules: BacktestRules,
  options: EvaluateOptions & { readonly fixedSize?: number } = {},
): SizeComparison {
  const { fixedSize = SIZE_MAX, ...evaluate } = options;
  const meanSize = meanOf(given) ?? fixedSize;
  const run = (sizesOf: (series: SizedSeries) => Float64Array): BacktestResult =>
    evaluateBacktest(
      given.map(({ positions, sizes, ...series }) => ({
        ...series,
        targets: sized(positions, sizesOf({ ...series, positions, sizes })),
      })),
      rules,
      evaluate,
    );
  const all = (size: number) => (series: SizedSeries) =>
    new Float64Array(series.positions.length).fill(size);
  return {
    fixed: run(all(fixedSize)),
    sameMean: run(all(meanSize)),
    advised: run(({ sizes }) => sizes),
    meanSize,
  };
}

function meanOf(given: readonly SizedSeries[]): number | undefined {
  let sum = 0;
  let count = 0;
  for (const { positions, sizes } of given) {
    positions.forEach((position, t) => {
      if (Number.isNaN(position) || position === 0) return;
      sum += sizes[t]!;
      count++;
    });
  }
  return count === 0 ? undefined : sum / count;
}
