import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { tradingCostOf } from '../outcomes/trading-cost.ts';
import type { BacktestRules, TradingCosts } from './rules.ts';

/** One instrument of a backtest: its bars, and what was wanted of it at the close of each. */
export interface InstrumentSeries {
  /**
   * Sorted, unique; a bar without prices (NaN) fills nothing and keeps the last close. Without an open alone it ends
   * nothing inside, and what fills at opens waits.
   */
  readonly bars: Bars;
  readonly calendar: Calendar;
  /**
   * Target weight of equity by bar, decided at its close: 1 is all of it, negative is short. NaN: no change is wanted,
   * what is held drifts. Never infinite.
   */
  readonly targets: Float64Array;
  /**
   * From a bar's close until it is known (ms), and with it what was decided on it: the time that it may still be
   * corrected, and what its source takes to publish it. Absent: known at its close.
   */
  readonly knownAfterMs?: number | undefined;
  /** 0..1 by bar, known with it; NaN: nothing is known. */
  readonly emergencyScore?: Float64Array;
  /** What this instrument costs, before those of the rules and of its market. */
  readonly costs?: TradingCosts;
}

const INSTRUMENTS_MAX = 500;

/** The costs of an instrument: its own, else the rules', else its market's. */
export function costsOf(series: InstrumentSeries, rules: BacktestRules): TradingCosts {
  return series.costs ?? rules.costs ?? { ...tradingCostOf(series.calendar), halfSpreadBps: 0 };
}

/**
 * Instruments in the order of their ids, so that the order given changes no rounding.
 * Errors: `backtest.empty`, `backtest.duplicate`, `backtest.tooMany`, `backtest.lengths`, `backtest.target`.
 */
export function checkedSeries(given: readonly InstrumentSeries[]): readonly InstrumentSeries[] {
  if (given.length === 0)
    throw new RatchetError('backtest.empty', 'a backtest needs an instrument');
  if (given.length > INSTRUMENTS_MAX) {
    throw new RatchetError(
      'backtest.tooMany',
      `a backtest has ${INSTRUMENTS_MAX} instruments at most, not ${given.length}`,
    );
  }
  const idOf = ({ bars }: InstrumentSeries): string => bars.instrument;
  const sorted = given.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : idOf(a) > idOf(b) ? 1 : 0));
  sorted.forEach((series, i) => {
    const id = idOf(series);
    if (i > 0 && idOf(sorted[i - 1]!) === id) {
      throw new RatchetError('backtest.duplicate', `instrument ${id} is given twice`);
    }
    checkSeries(series);
  });
  return sorted;
}

/** Errors: `backtest.empty`, `backtest.lengths`, `backtest.target`. */
export function checkSeries({ bars, targets, emergencyScore }: InstrumentSeries): void {
  const rows = barCount(bars);
  const { instrument } = bars;
  if (rows === 0) throw new RatchetError('backtest.empty', `${instrument} has no bars`);
  const scores = emergencyScore?.length ?? rows;
  if (targets.length !== rows || scores !== rows) {
    throw new RatchetError(
      'backtest.lengths',
      `${instrument} has ${rows} bars, ${targets.length} targets and ${scores} scores`,
    );
  }
  for (let t = 0; t < rows; t++) {
    if (Math.abs(targets[t]!) !== Infinity) continue;
    throw new RatchetError('backtest.target', `${instrument}: target ${t + 1} is infinite`);
  }
}

/**
 * The series from the first bar that opens at `from` (ms UTC) or later: what came before warmed a strategy up and
 * trades nothing. The target that stood then, the last one given up to the first bar, is taken over.
 * Instruments without any bar from then on are left out.
 */
export function startingAt(
  given: readonly InstrumentSeries[],
  from: number,
): readonly InstrumentSeries[] {
  return given.flatMap((series) => {
    const first = lowerBound(series.bars.openTime, from);
    if (first === barCount(series.bars)) return [];
    const targets = series.targets.slice(first);
    let standing = first;
    while (standing > 0 && Number.isNaN(series.targets[standing]!)) standing--;
    targets[0] = series.targets[standing]!;
    const emergencyScore = series.emergencyScore?.subarray(first);
    return [
      {
        ...series,
        bars: sliceBars(series.bars, first),
        targets,
        ...(emergencyScore && { emergencyScore }),
      },
    ];
  });
}
