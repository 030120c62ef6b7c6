import { TIMEFRAME_MS, type Bars } from './bars.ts';
import type { MergedBars } from './merge.ts';
import type { Sessions } from './sessions.ts';

/**
 * How the values that became known since the bar before make one of a bar. `last`: the newest period's newest value;
 * `mean` and `count`: over all of them, for events such as articles.
 */
export const SERIES_JOINS = ['last', 'mean', 'count'] as const;
export type SeriesJoin = (typeof SERIES_JOINS)[number];

/** A column that a series adds to bars: which of its quantities, joined how. */
export interface SeriesColumn {
  readonly name: string;
  readonly quantity: string;
  readonly join: SeriesJoin;
}

/** A published value: what it is of, and from when on it can be used (both ms UTC). */
export interface SeriesPoint {
  /** Start of the period or instant that it describes. */
  readonly time: number;
  readonly knownAt: number;
  readonly value: number;
  /** Tells events of one instant apart, such as an article's digest; absent: one value a time. */
  readonly key?: string;
}

/** What is stored of a series: points by quantity; revisions of a period are points of the same time. */
export type SeriesPoints = Readonly<Record<string, readonly SeriesPoint[]>>;

/** A series as it is joined: `name` stands before its columns' names. */
export interface SourcedSeries {
  readonly name: string;
  readonly columns: readonly SeriesColumn[];
  readonly points: SeriesPoints;
}

/** No market here pauses longer, but for a war: then what became known meanwhile is no news of the first bar. */
const LONGEST_PAUSE_MS = 14 * TIMEFRAME_MS['1d'];

/**
 * Adds the columns `name.column` of series to merged bars. A value stands at the first bar that had not closed before it
 * became known, NaN elsewhere: bar t holds what became known in (close of t-1, close of t], and nothing later
 * known or revised changes an earlier row. At the first bar: since the session before it closed.
 * How long a value goes on is the reader's business (`exogenous`, period).
 */
export function joinSeries(
  merged: MergedBars,
  series: readonly SourcedSeries[],
  calendar: Sessions,
): MergedBars {
  if (series.length === 0) return merged;
  const closes = closesOf(merged.bars, calendar);
  const exogenous: Record<string, Float64Array> = { ...merged.bars.exogenous };
  const deliveredBy = [...merged.deliveredBy];
  for (const { name, columns, points } of series) {
    for (const column of columns) {
      exogenous[`${name}.${column.name}`] = joinColumn(
        points[column.quantity] ?? [],
        column.join,
        closes,
      );
    }
    const any = Object.values(points).some((list) => list.length > 0);
    if (any) deliveredBy.push({ name, role: 'exogenous', rows: 0, ranges: [], moreRanges: 0 });
  }
  return { bars: { ...merged.bars, exogenous }, deliveredBy };
}

/** When the bars close (ms UTC), and before them the close of the session before the first one. */
function closesOf({ openTime, timeframe }: Bars, calendar: Sessions): Float64Array {
  const closes = new Float64Array(openTime.length + 1);
  openTime.forEach((time, i) => (closes[i + 1] = calendar.closeTime(time, timeframe)));
  const first = openTime[0];
  if (first === undefined) return closes;
  const before = calendar.between(first - LONGEST_PAUSE_MS, first - 1, timeframe).at(-1);
  closes[0] = before === undefined ? first : calendar.closeTime(before, timeframe);
  return closes;
}

/** One column: value i is of what became known in (closes[i], closes[i + 1]]; NaN: nothing did. */
function joinColumn(
  points: readonly SeriesPoint[],
  join: SeriesJoin,
  closes: Float64Array,
): Float64Array {
  const out = new Float64Array(closes.length - 1).fill(Number.NaN);
  const sorted = points.toSorted(byKnowledge);
  let next = 0;
  let newest = Number.NEGATIVE_INFINITY;
  for (let bar = 0; bar < out.length; bar++) {
    let [sum, count] = [0, 0];
    for (; next < sorted.length && sorted[next]!.knownAt <= closes[bar + 1]!; next++) {
      const { time, knownAt, value } = sorted[next]!;
      const fresh = knownAt > closes[bar]!;
      // A revision of an older period is no news of the newest one.
      if (join === 'last' && time >= newest && fresh) out[bar] = value;
      newest = Math.max(newest, time);
      if (!fresh) continue;
      sum += value;
      count++;
    }
    if (count > 0 && join === 'mean') out[bar] = sum / count;
    if (count > 0 && join === 'count') out[bar] = count;
  }
  return out;
}

/** A total order, so that a mean has the same bits whatever order the points came in. */
const byKnowledge = (a: SeriesPoint, b: SeriesPoint): number =>
  a.knownAt - b.knownAt ||
  a.time - b.time ||
  compareText(a.key ?? '', b.key ?? '') ||
  a.value - b.value;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
