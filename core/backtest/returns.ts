/** From an equity curve to returns, days, months and drawdowns. */
import { lowerBound } from '../bars/build.ts';
import { DAY_MS } from '../calendar/day.ts';

/** r[t] = E[t + 1] / E[t] - 1, one less than rows, in `out`; 0 from where there is no equity left. */
export function returnsOf(
  equity: Float64Array,
  out: Float64Array = new Float64Array(Math.max(0, equity.length - 1)),
): Float64Array {
  for (let t = 0; t < out.length; t++) {
    const before = equity[t]!;
    out[t] = before > 0 ? equity[t + 1]! / before - 1 : 0;
  }
  return out;
}

/** Plain numbers; many times as fast as spreading the column. */
export function listOf(column: Float64Array): number[] {
  const out = new Array<number>(column.length);
  for (let t = 0; t < column.length; t++) out[t] = column[t]!;
  return out;
}

/** The UTC day (since 1970) that a close belongs to: one at midnight ends the day before. */
export const dayOfClose = (time: number): number => Math.floor((time - 1) / DAY_MS);

/** Equity at the last row of each UTC day that has rows. */
export function dailyEquity(time: Float64Array, equity: Float64Array): Float64Array {
  const span = (time.at(-1) ?? 0) - (time[0] ?? 0);
  // No more days than rows, and than the rows reach across.
  const out = new Float64Array(Math.min(equity.length, Math.ceil(span / DAY_MS) + 1));
  let days = 0;
  let dayEnds = -Infinity;
  for (let t = 0; t < equity.length; t++) {
    if (time[t]! > dayEnds) {
      days++;
      dayEnds = (dayOfClose(time[t]!) + 1) * DAY_MS;
    }
    out[days - 1] = equity[t]!;
  }
  return out.subarray(0, days);
}

/** Return of each calendar month (UTC) that has rows; the first from the initial equity on. */
export function monthlyReturns(
  time: Float64Array,
  equity: Float64Array,
  initialEquity: number,
): { readonly month: string; readonly return: number }[] {
  const months: { month: string; return: number }[] = [];
  let before = initialEquity;
  for (let from = 0; from < equity.length;) {
    const date = new Date(dayOfClose(time[from]!) * DAY_MS);
    const monthEnds = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
    // Times are whole milliseconds: the first one after the month's end.
    const end = Math.max(from + 1, lowerBound(time, monthEnds + 1));
    const last = equity[end - 1]!;
    months.push({
      month: date.toISOString().slice(0, 7),
      return: before > 0 ? last / before - 1 : 0,
    });
    before = last;
    from = end;
  }
  return months;
}

/** A fall from a peak of equity until it is reached again. Rows; -1 is the initial equity before the first row. */
export interface DrawdownSpan {
  /** Negative or 0. */
  readonly depth: number;
  readonly peak: number;
  readonly trough: number;
  /** Row of the recovery; the last row where it is open. */
  readonly end: number;
  /** Rows from peak to end. */
  readonly bars: number;
  readonly open: boolean;
}

export interface DrawdownSpans {
  /** The deepest and the longest; null where equity never fell. */
  readonly deepest: DrawdownSpan | null;
  readonly longest: DrawdownSpan | null;
}

export interface Drawdowns extends DrawdownSpans {
  readonly curve: Float64Array;
}

/** Drawdown of equity against its highest value so far, the initial one included. */
export const drawdownsOf = (equity: Float64Array, initialEquity: number): Drawdowns => ({
  curve: Float64Array.from(drawdownCurve(equity, initialEquity)),
  ...drawdownSpans(equity, initialEquity),
});

/** E / cummax(E) - 1 by row, from the initial equity on. */
export function drawdownCurve(equity: Float64Array, initialEquity: number): number[] {
  // A list that began with whole numbers would be made anew at the first broken one.
  const curve = listOf(equity);
  let highest = initialEquity + 0;
  for (let t = 0; t < equity.length; t++) {
    const rises = equity[t]! >= highest;
    if (rises) highest = equity[t]!;
    curve[t] = rises ? 0 : equity[t]! / highest - 1;
  }
  return curve;
}

export function drawdownSpans(equity: Float64Array, initialEquity: number): DrawdownSpans {
  let peak = -1;
  // Sums of numbers are numbers and nothing else: what may be anything at first is kept as an object at every step.
  let highest = initialEquity + 0;
  let lowest = highest;
  let depth = 0;
  let trough = -1;
  let spans: DrawdownSpans = { deepest: null, longest: null };
  const spanTo = (end: number, open: boolean, from: number, low: number): void => {
    const top = from < 0 ? initialEquity : equity[from]!;
    const fall = equity[low]! / top - 1;
    spans = withSpan(spans, { depth: fall, peak: from, trough: low, end, bars: end - from, open });
  };
  for (let t = 0; t < equity.length; t++) {
    const now = equity[t]!;
    if (now >= highest) {
      if (depth < 0) spanTo(t, false, peak, trough);
      highest = now;
      lowest = now;
      peak = t;
      depth = 0;
    } else if (now < lowest) {
      lowest = now;
      const down = now / highest - 1;
      if (down < depth) {
        depth = down;
        trough = t;
      }
    }
  }
  if (depth < 0) spanTo(equity.length - 1, true, peak, trough);
  return spans;
}

/** Of equals the first. */
const withSpan = ({ deepest, longest }: DrawdownSpans, span: DrawdownSpan): DrawdownSpans => ({
  deepest: deepest === null || span.depth < deepest.depth ? span : deepest,
  longest: longest === null || span.bars > longest.bars ? span : longest,
});
