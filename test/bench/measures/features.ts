import { calendarFor } from '../../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow } from '../../../core/features/index.ts';
import type { Measure } from '../measure.ts';
import { timedSide } from '../measure.ts';
import { hourlyBars, writeBars } from '../workload-bars.ts';

interface Features {
  readonly name: string;
  readonly set: string;
  readonly rows: number;
  readonly repeats: number;
  readonly library: 'talib' | 'pandas';
  readonly columns: number;
  readonly target: number;
}

/** All columns of a set, as one matrix, against a library's columns of the same kinds and windows, each by itself. */
function features({ name, set, rows, repeats, library, columns, target }: Features): Measure {
  return {
    name,
    docs: `${set} over ${rows} hourly bars; ${columns} comparable columns by ${library}.`,
    unit: 'ms',
    better: 'lower',
    target,
    async open({ folder, peer }) {
      const bars = hourlyBars(rows);
      writeBars(folder, bars);
      const chosen = featureSetOrThrow(set);
      const calendar = calendarFor('24x7');
      return {
        ours: timedSide(() => buildFeatures(chosen, bars, calendar), repeats),
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

export const features46 = features({
  ...{ name: 'features-46', set: 'crypto-46-raw', columns: 46, rows: 35_000, repeats: 10 },
  ...{ library: 'talib', target: 1 },
});
