import type { Bars } from '../bars/bars.ts';
import { calendarFor } from '../calendar/index.ts';
import type { EpisodeBars, OpenEpisode } from '../models/market.ts';
import { runPrepared } from './engine.ts';
import { prepare, retargeted } from './prepared.ts';
import { backtestRules } from './rules.ts';

/** Share of the first equity below which a loss is not told from a larger one: the logarithm needs a floor. */
const EQUITY_FLOOR = 1e-6;

/**
 * The backtest engine as an environment that agents learn in: the same order of events, fills and costs as in every
 * backtest. There are no stops, so that nothing looks inside a bar.
 * Errors: those of `runBacktest`, `calendar.unknown`.
 */
export const openEpisode: OpenEpisode = (given, rules) => {
  const bars = asBars(given);
  const calendar = calendarFor(given.calendar);
  const nothing = new Float64Array(bars.openTime.length).fill(NaN);
  // Thousands of episodes have these bars: what only rests on bars is made once.
  const prepared = prepare([{ bars, calendar, targets: nothing }]);
  const { fill, costs, borrowBpsPerYear, allowShort } = rules;
  const backtest = backtestRules({
    fill: { at: fill },
    ...(costs && { costs }),
    borrowBpsPerYear,
    allowShort,
  });
  return (targets) => {
    const { equity, initialEquity } = runPrepared(retargeted(prepared, targets), backtest);
    const floor = initialEquity * EQUITY_FLOOR;
    let before = initialEquity;
    return equity.map((value) => {
      const now = Math.max(value, floor);
      const change = Math.log(now / before);
      before = now;
      return change;
    });
  };
};

/** Highs and lows are those of open and close: no rule that reads others is set. */
function asBars({ instrument, timeframe, openTime, open, close }: EpisodeBars): Bars {
  const unread = new Float64Array(openTime.length);
  return {
    ...{ instrument, timeframe, openTime, open, close },
    high: open.map((price, t) => Math.max(price, close[t]!)),
    low: open.map((price, t) => Math.min(price, close[t]!)),
    volume: unread,
    value: unread,
    valueDerived: false,
  };
}
