import type { Bars } from '../../core/bars/bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { normalBy } from './lstm-network.ts';

/** A random walk on the NYSE calendar; `volatility(i)` is the SD of bar i's log return. */
export function syntheticBars(
  count: number,
  options: {
    readonly seed: string;
    readonly first?: string;
    readonly instrument?: string;
    readonly volatility?: (bar: number) => number;
  },
): Bars {
  const calendar = calendarFor('nyse');
  const normal = normalBy(options.seed);
  const volatility = options.volatility ?? (() => 0.01);
  const first = calendar.indexOf(Date.parse(options.first ?? '2005-01-03'), '1d');
  const column = (): Float64Array => new Float64Array(count);
  const bars = {
    instrument: options.instrument ?? '^TEST',
    timeframe: '1d' as const,
    openTime: column(),
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column(),
    value: column(),
    valueDerived: true,
  };
  let last = 1000;
  for (let i = 0; i < count; i++) {
    const sd = volatility(i);
    const open = last * Math.exp(0.3 * sd * normal());
    const close = open * Math.exp(sd * normal());
    bars.openTime[i] = calendar.openTimeAt(first + i, '1d');
    bars.open[i] = open;
    bars.close[i] = close;
    bars.high[i] = Math.max(open, close) * Math.exp(0.5 * sd * Math.abs(normal()));
    bars.low[i] = Math.min(open, close) * Math.exp(-0.5 * sd * Math.abs(normal()));
    bars.volume[i] = 1e6 * Math.exp(0.3 * normal());
    bars.value[i] = (bars.volume[i]! * (bars.high[i]! + bars.low[i]! + close)) / 3;
    last = close;
  }
  return bars;
}
