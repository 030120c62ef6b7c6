import { takeBars } from '../../core/bars/build.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { buildLabels } from '../../core/labels/index.ts';
import type { SplitInput, SplitRows } from '../../core/splits/index.ts';
import { walkBars } from './made-bars.ts';
import { seededUniform } from './seeded-uniform.ts';

export interface SampleSetting {
  readonly seed: number;
  readonly timeframe: '1d' | '1h';
  /** Bars of the calendar. */
  readonly bars: number;
  /** Instruments of the pool; each begins a little later than the one before. */
  readonly instruments: number;
  /** Share of bars that are not there; a few of them in one long hole. */
  readonly missing: number;
  readonly horizons: readonly number[];
  readonly reachBars?: number;
}

/** Labelled samples of made bars, by the real calendar and the real labels. */
export function splitSamples(setting: SampleSetting): SplitInput {
  const { seed, timeframe, instruments, missing, horizons } = setting;
  const uniform = seededUniform(seed);
  const calendar = calendarFor(timeframe === '1d' ? 'nyse' : '24x7');
  const rows: number[] = [];
  const openTime: number[] = [];
  const labelEnd: number[] = [];
  for (let instrument = 0; instrument < instruments; instrument++) {
    const all = walkBars(setting.bars, { seed: seed + instrument, timeframe });
    const hole = Math.floor(uniform() * setting.bars);
    const kept = [...all.openTime.keys()].filter(
      (row) =>
        row >= 17 * instrument &&
        uniform() >= missing &&
        (missing === 0 || row < hole || row > hole + 25),
    );
    const bars = takeBars(all, kept);
    const labels = buildLabels({ kind: 'forwardLogReturn', horizons }, bars, calendar);
    const from = openTime.length;
    openTime.push(...bars.openTime);
    labelEnd.push(...labels.labelEnd);
    const width = horizons.length;
    for (let row = 0; row < labels.rows; row++) {
      const known = labels.values.subarray(row * width, (row + 1) * width).every(Number.isFinite);
      if (known) rows.push(from + row);
    }
  }
  return {
    rows: Int32Array.from(rows),
    openTime: Float64Array.from(openTime),
    labelEnd: Float64Array.from(labelEnd),
    horizons,
    reachBars: setting.reachBars ?? 1,
  };
}

const PAIRS = [
  ['train', 'valid'],
  ['train', 'test'],
  ['valid', 'test'],
] as const;

/** Pairs of samples of two parts of a fold whose label windows, decision time included, meet: none where nothing leaks. */
export function overlaps(fold: SplitRows, { openTime, labelEnd }: SplitInput): string[] {
  const found: string[] = [];
  for (const [one, other] of PAIRS) {
    for (const a of fold[one]) {
      for (const b of fold[other]) {
        const disjoint = labelEnd[a]! < openTime[b]! || labelEnd[b]! < openTime[a]!;
        if (!disjoint) found.push(`${one} ${a} / ${other} ${b}`);
      }
    }
  }
  return found;
}
