import { barCount } from '../bars/bars.ts';
import { runBacktest, type BacktestRun } from './engine.ts';
import type { BacktestRules } from './rules.ts';
import type { InstrumentSeries } from './series.ts';

/**
 * Buy-and-hold of the same instruments: an equal share of equity in each, decided at its first bar, then never touched.
 * The same fill rule and the same costs at entry; no stops, shorts or leverage.
 */
export function buyAndHold(given: readonly InstrumentSeries[], rules: BacktestRules): BacktestRun {
  const series = given.map(({ bars, calendar, costs }) => {
    const targets = new Float64Array(barCount(bars)).fill(NaN);
    targets[0] = 1 / given.length;
    return { bars, calendar, targets, ...(costs && { costs }) };
  });
  return runBacktest(series, {
    ...rules,
    maxLeverage: 1,
    maxWeight: 1,
    noTradeBand: 0,
    minTradeValue: 0,
    stops: { emergencyScore: null, reentry: rules.stops.reentry },
  });
}
