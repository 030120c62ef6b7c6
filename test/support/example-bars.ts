import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Bars, Timeframe } from '../../core/bars/bars.ts';
import { seededUniform } from './seeded-uniform.ts';

const root = new URL('../../', import.meta.url);

/** Bars of a bundled or lab CSV: date first, then open, high, low, close, ..., volume last. */
export function readBars(path: string, instrument: string): Bars {
  const text = gunzipSync(readFileSync(new URL(path, root))).toString();
  const lines = text.trim().split('\n').slice(1);
  const cells = lines.map((line) => line.trim().split(','));
  const column = (at: number): Float64Array =>
    Float64Array.from(cells, (row) => Number(row.at(at)));
  const close = column(4);
  const volume = column(-1);
  return {
    instrument,
    timeframe: '1d',
    openTime: Float64Array.from(cells, (row) => dayOf(row[0]!)),
    open: column(1),
    high: column(2),
    low: column(3),
    close,
    volume,
    value: close.map((c, t) => c * volume[t]!),
    valueDerived: true,
  };
}

/** The two bundled indices, 1999-2018. */
export const sp500 = (): Bars => readBars('examples/data/index-arch/sp500.csv.gz', '^GSPC');
export const nasdaq = (): Bars => readBars('examples/data/index-arch/nasdaq.csv.gz', '^IXIC');

function dayOf(text: string): number {
  const american = /^(\d+)\/(\d+)\/(\d{4})$/.exec(text);
  if (american === null) return Date.parse(`${text}T00:00:00Z`);
  return Date.UTC(Number(american[3]), Number(american[1]) - 1, Number(american[2]));
}

/** A seeded random walk with true bar shapes; opens at the given times. */
export function walkBars(openTime: Float64Array, seed: number, timeframe: Timeframe = '1d'): Bars {
  const uniform = seededUniform(seed);
  const rows = openTime.length;
  const [open, high, low, close, volume] = Array.from({ length: 5 }, () => new Float64Array(rows));
  let last = 100;
  for (let t = 0; t < rows; t++) {
    const at = last * Math.exp((uniform() - 0.5) * 0.01);
    last = at * Math.exp((uniform() + uniform() + uniform() - 1.5) * 0.02);
    open![t] = at;
    close![t] = last;
    high![t] = Math.max(at, last) * (1 + uniform() * 0.01);
    low![t] = Math.min(at, last) * (1 - uniform() * 0.01);
    volume![t] = Math.round(1e6 * (0.5 + uniform()));
  }
  return {
    instrument: `WALK${seed}`,
    timeframe,
    openTime,
    open: open!,
    high: high!,
    low: low!,
    close: close!,
    volume: volume!,
    value: close!.map((c, t) => c * volume![t]!),
    valueDerived: true,
  };
}

/**
 * 1,500 hourly bars of a market that never closes, with a traded value of its own, hours without a trade
 * and a stretch that does not move: what neutral values are for.
 */
export function hourlyWalk(): Bars {
  const first = Date.UTC(2024, 0, 5);
  const bars = walkBars(
    Float64Array.from({ length: 1500 }, (_, hour) => first + hour * 3_600_000),
    46,
    '1h',
  );
  const { open, high, low, close, volume } = bars;
  for (let t = 900; t < 930; t++) {
    open[t] = high[t] = low[t] = close[t] = close[899]!;
    if (t >= 905) volume[t] = 0;
  }
  for (let t = 1100; t < 1500; t += 97) volume[t] = 0;
  const value = volume.map((v, t) => (v * (open[t]! + close[t]!)) / 2);
  return { ...bars, value, valueDerived: false };
}
