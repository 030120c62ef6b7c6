import { SIZE_MAX, SIZE_MIN } from '../advice/size.ts';
import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { evaluateFigures, type BacktestFigures, type EvaluateOptions } from './evaluate.ts';
import { sized, sizesFromHistory, type GivenAdvice } from './given-sizes.ts';
import type { BacktestRules } from './rules.ts';
import type { InstrumentSeries } from './series.ts';

export interface SizedSeries extends Omit<InstrumentSeries, 'targets'> {
  /** Of the strategy, -1..1 by bar; NaN: no opinion. */
  readonly positions: Float64Array;
  /** Advised by bar, 0.05..1. */
  readonly sizes: Float64Array;
}

export interface SizeComparison {
  /** Every position at `fixedSize`. */
  readonly fixed: BacktestFigures;
  /** Every position at the mean advised size: what merely holding less, or more, would have brought. */
  readonly sameMean: BacktestFigures;
  readonly advised: BacktestFigures;
  /** Mean of the sizes over bars with a position that the rules let be held; `fixedSize` where there is none. */
  readonly meanSize: number;
}

/**
 * The same positions, bars, rules and costs with a fixed size and with the advised one. Advice that beats `fixed` and not
 * `sameMean` chose a size, not moments. Throws what `evaluateFigures` and `sized` throw.
 */
export function compareSizes(
  given: readonly SizedSeries[],
  rules: BacktestRules,
  options: EvaluateOptions & { readonly fixedSize?: number } = {},
): SizeComparison {
  const { fixedSize = SIZE_MAX, ...evaluate } = options;
  const meanSize = meanOf(given, rules) ?? fixedSize;
  const run = (sizesOf: (series: SizedSeries) => Float64Array): BacktestFigures =>
    evaluateFigures(
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

function meanOf(given: readonly SizedSeries[], { allowShort }: BacktestRules): number | undefined {
  let sum = 0;
  let count = 0;
  for (const { positions, sizes } of given) {
    positions.forEach((position, t) => {
      if (!(position > 0 || (allowShort && position < 0))) return;
      sum += sizes[t]!;
      count++;
    });
  }
  return count === 0 ? undefined : sum / count;
}

/** Advice with the signal that it was asked on. */
export interface SignalledAdvice extends GivenAdvice {
  /** Above 0: long; below: short. */
  readonly score: number;
}

export interface HistoryComparison extends SizeComparison {
  /** Bars that were advised on in time. */
  readonly given: number;
  readonly late: number;
}

/** Fewer bars show nothing at all; figures of few are still thin, and the notes of a result say so. */
const GIVEN_MIN = 2;

/**
 * What was really advised against a fixed size: at each bar that advice was given for in time, the side of its signal,
 * held until the next one; from the first such bar on. Throws `advice.too-few-given` and what `compareSizes` throws.
 */
export function compareHistory(
  whole: Bars,
  calendar: Calendar,
  history: readonly SignalledAdvice[],
  rules: BacktestRules,
): HistoryComparison {
  const nothing = new Float64Array(barCount(whole)).fill(SIZE_MIN);
  const { sizes, given, late } = sizesFromHistory(whole, calendar, history, nothing);
  const first = given.findIndex((advice) => advice !== undefined);
  const count = given.filter((advice) => advice !== undefined).length;
  if (count < GIVEN_MIN) {
    throw new RatchetError(
      'advice.too-few-given',
      `${count} bars were advised on in time; a comparison needs ${GIVEN_MIN} (${late} came too late)`,
    );
  }
  const positions = Float64Array.from(given, (advice) =>
    advice === undefined ? NaN : Math.sign(advice.score),
  );
  const series = {
    bars: sliceBars(whole, first),
    calendar,
    positions: positions.subarray(first),
    sizes: sizes.subarray(first),
  };
  return { ...compareSizes([series], rules), given: count, late };
}
