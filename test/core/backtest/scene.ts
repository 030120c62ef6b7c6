/** Made bars and targets for tests of the engine: all from a seed. */
import { barsFromRows, type Bars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import type { InstrumentSeries } from '../../../core/backtest/index.ts';
import { walkBars } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
export const daily = calendarFor('nyse');
export const hourly = calendarFor('24x7');

/** Daily bars of 24x7 from 2024-01-01 with these opens, highs, lows and closes. */
export function barsOf(rows: readonly (readonly number[])[], instrument = 'A'): Bars {
  const first = Date.UTC(2024, 0, 1);
  return barsFromRows(
    instrument,
    '1d',
    rows.map(([open = NaN, high = NaN, low = NaN, close = NaN], t) => ({
      openTime: first + t * DAY,
      open,
      high,
      low,
      close,
      volume: 1,
    })),
  );
}

/** One instrument of such bars on the 24x7 calendar, without costs. */
export function seriesOf(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  more: Partial<InstrumentSeries> = {},
): InstrumentSeries {
  return {
    bars: barsOf(rows),
    calendar: hourly,
    targets: Float64Array.from(targets),
    costs: { feeBps: 0, slippageBps: 0, halfSpreadBps: 0 },
    ...more,
  };
}

const LEVELS = [-1, -0.5, 0, 0.25, 0.5, 1];

/** Random targets: mostly nothing wanted, some repeated; and scores of which few call for an exit. */
export function randomSeries(bars: Bars, seed: number, hourlyBars: boolean): InstrumentSeries {
  const uniform = seededUniform(seed);
  const targets = bars.close.map(() =>
    uniform() < 0.6 ? NaN : LEVELS[Math.floor(uniform() * LEVELS.length)]!,
  );
  const emergencyScore = bars.close.map(() => (uniform() < 0.1 ? NaN : uniform() * 0.85));
  return { bars, calendar: hourlyBars ? hourly : daily, targets, emergencyScore };
}

/** Two instruments of daily sessions and one of hours, some bars missing. */
export function mixedScene(seed: number): InstrumentSeries[] {
  const first = Date.UTC(2024, 0, 3);
  const sessions = daily.between(first, first + 40 * DAY, '1d');
  const hours = Float64Array.from({ length: 24 * 30 }, (_, i) => first + 3 * DAY + i * HOUR);
  const holed = walkBars(sessions, seed * 7 + 1);
  for (const column of [holed.open, holed.high, holed.low, holed.close]) column[9] = NaN;
  holed.open[15] = NaN;
  holed.close[21] = NaN;
  const some = sessions.filter((_, i) => i % 5 !== 3);
  return [
    randomSeries({ ...holed, instrument: 'STOCK' }, seed + 100, false),
    randomSeries({ ...walkBars(some, seed * 7 + 2), instrument: 'FUND' }, seed + 200, false),
    randomSeries({ ...walkBars(hours, seed * 7 + 3, '1h'), instrument: 'COIN' }, seed + 300, true),
  ];
}
