import { sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow, newestRows } from '../../../core/features/index.ts';
import type { Measure } from '../measure.ts';
import { spreadOf, timedSide } from '../measure.ts';
import { hourlyBars, writeBars } from '../workload-bars.ts';

interface Features {
  readonly name: string;
  readonly set: string;
  readonly rows: number;
  readonly repeats: number;
  readonly library: 'talib' | 'pandas' | 'polars';
  readonly columns: number;
  readonly target: number;
}

/** All columns of a set, as one matrix, against a library's columns of the same kinds and windows, each by itself. */
function features({ name, set, rows, repeats, library, columns, target }: Features): Measure {
  return {
    name,
    docs: `${set} over ${rows} hourly bars, into the matrix that takes them, as preparation does; ${columns} comparable columns by ${library}.`,
    unit: 'ms',
    better: 'lower',
    target,
    async open({ folder, peer }) {
      const bars = hourlyBars(rows);
      writeBars(folder, bars);
      const chosen = featureSetOrThrow(set);
      const calendar = calendarFor('24x7');
      const into = new Float64Array(rows * chosen.names.length);
      return {
        ours: timedSide(() => buildFeatures(chosen, bars, calendar, into), repeats),
        peers: [await peer('features.py', [folder, library, String(columns), String(repeats)])],
      };
    },
  };
}

const wide = { set: 'technical-152', columns: 150 } as const;

export const features152 = features({
  ...{ ...wide, name: 'features-152', rows: 6_300, repeats: 20 },
  ...{ library: 'talib', target: 1 },
});

export const features152Million = features({
  ...{ ...wide, name: 'features-152-million', rows: 1_000_000, repeats: 1 },
  ...{ library: 'talib', target: 1 },
});

export const features152Pandas = features({
  ...{ ...wide, name: 'features-152-pandas', rows: 6_300, repeats: 5 },
  ...{ library: 'pandas', target: 0.25 },
});

export const features152Polars = features({
  ...{ ...wide, name: 'features-152-polars', rows: 6_300, repeats: 5 },
  ...{ library: 'polars', target: 1 },
});

export const features46 = features({
  ...{ name: 'features-46', set: 'crypto-46-raw', columns: 46, rows: 35_000, repeats: 10 },
  ...{ library: 'talib', target: 1 },
});

const LOOKBACK = 60;
/** Bars that TA-Lib's columns are computed from: as many as the longest of them needs for the newest window. */
const PEER_BARS = 260;
/** Windows of one round, each a bar after the one before. */
const WINDOWS = 500;
const ROUNDS_MAX = 40;

/** As serving does it: the bars that the window needs are at hand, its columns those of the bar before. */
export const featuresIncrement: Measure = {
  name: 'features-increment',
  docs: `One new bar: the ${LOOKBACK} x 152 window that ends with it, checked against the bars before; TA-Lib computes 150 comparable columns of ${PEER_BARS} bars.`,
  unit: 'us',
  better: 'lower',
  target: 0.2,
  async open({ folder, peer }) {
    const set = featureSetOrThrow(wide.set);
    const calendar = calendarFor('24x7');
    const most = set.memoryBars + LOOKBACK + 3 * 256;
    const bars = hourlyBars(most + WINDOWS * ROUNDS_MAX);
    writeBars(folder, sliceBars(bars, 0, PEER_BARS));
    let last = most;
    const means: number[] = [];
    const window = (): number => {
      last = last + 1 < bars.openTime.length ? last + 1 : most;
      const needed = set.barsNeeded(bars.openTime[last]!, LOOKBACK, calendar, bars.timeframe);
      const known = sliceBars(bars, last + 1 - needed, last + 1);
      const from = performance.now();
      newestRows(set, known, calendar, LOOKBACK);
      return (performance.now() - from) * 1000;
    };
    return {
      ours: {
        name: 'ratchet',
        round: async () => {
          const times = Array.from({ length: WINDOWS }, window);
          means.push(times.reduce((sum, time) => sum + time, 0) / WINDOWS);
          return spreadOf(times).median;
        },
        close: async () => undefined,
      },
      peers: [await peer('features.py', [folder, 'talib', '150', '200', 'us'])],
      // Once in some hundred bars all columns are computed anew: that is in the mean.
      also: () => ({ meanUs: spreadOf(means).median }),
    };
  },
};
