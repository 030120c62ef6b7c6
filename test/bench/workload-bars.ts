import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bars, Timeframe } from '../../core/bars/bars.ts';
import { walkBars } from '../support/example-bars.ts';

const HOUR_MS = 3_600_000;
const FIRST = Date.UTC(1970, 0, 1);

/** A seeded walk of so many hourly bars of a market that never closes. */
export function hourlyBars(rows: number, timeframe: Timeframe = '1h'): Bars {
  const times = Float64Array.from({ length: rows }, (_, hour) => FIRST + hour * HOUR_MS);
  return walkBars(times, 7, timeframe);
}

/** The columns as peers read them: `close.f64`, ... of float64 in the order of this machine. */
export function writeBars(folder: string, bars: Bars): void {
  for (const name of ['open', 'high', 'low', 'close', 'volume', 'value'] as const) {
    writeFileSync(join(folder, `${name}.f64`), bars[name]);
  }
}
