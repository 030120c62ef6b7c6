import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { IndicatorInput, IndicatorUse } from './indicator.ts';
import { barPositions } from './positions.ts';

/** The input of indicators over some bars; remembers every column and intermediate it has made. */
export function indicatorInput(bars: Bars, calendar: Calendar): IndicatorInput {
  const made = new Map<string, unknown>();
  const share = <T>(key: string, make: () => T): T => {
    // A key is used by one maker only, which fixes its type.
    if (!made.has(key)) made.set(key, make());
    return made.get(key) as T;
  };
  const input: IndicatorInput = {
    rows: barCount(bars),
    openTime: bars.openTime,
    open: bars.open,
    high: bars.high,
    low: bars.low,
    close: bars.close,
    volume: bars.volume,
    value: bars.value,
    exogenous: bars.exogenous ?? {},
    positions: barPositions(bars.openTime, calendar, bars.timeframe),
    column: (use: IndicatorUse) => share(use.key, () => use.compute(input)),
    share,
  };
  return input;
}
