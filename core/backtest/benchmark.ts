import { barCount } from '../bars/bars.ts';
import type { NewColumn } from '../spare-columns.ts';
import { runWhole, type BacktestRun } from './engine.ts';
import { prepare, type Prepared } from './prepared.ts';
import type { BacktestRules } from './rules.ts';
import type { InstrumentSeries } from './series.ts';

/**
 * Buy-and-hold of the same instruments: an equal share of equity in each, decided at its first bar, then never touched.
 * The same fill rule and the same costs at entry; no stops, shorts or leverage.
 */
export const buyAndHold = (given: readonly InstrumentSeries[], rules: BacktestRules): BacktestRun =>
  runWhole(heldSeries(prepare(given)), heldRules(rules));

/** The same bars with what buy-and-hold wants of them, which is put in columns of `column`. */
export function heldSeries(
  prepared: Prepared,
  column: NewColumn = (rows) => new Float64Array(rows),
): Prepared {
  const series = prepared.series.map(({ bars, calendar, openAt, closeAt, costs }) => {
    const targets = column(barCount(bars)).fill(NaN);
    targets[0] = 1 / prepared.series.length;
    return { bars, calendar, openAt, closeAt, targets, ...(costs && { costs }) };
  });
  return { ...prepared, series };
}

export const heldRules = (rules: BacktestRules): BacktestRules => ({
  ...rules,
  maxLeverage: 1,
  maxWeight: 1,
  noTradeBand: 0,
  minTradeValue: 0,
  stops: { emergencyScore: null, reentry: rules.stops.reentry },
});
