/** The windows of many instants, from features that are built once. */
import type { Bars } from '../bars/bars.ts';
import { calendarFor } from '../calendar/index.ts';
import { buildFeatures, packagedFeatureSetOrThrow, type FeatureMatrix } from '../features/index.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import { volatility20 } from './direction.ts';
import {
  barsBehind,
  barsFromAnchor,
  thresholdsAfter,
  tooFew,
  type PredictionWindow,
} from './window.ts';
import { checkMade } from './window-values.ts';

/** Instants that are asked about. */
export interface AskedInstants {
  /** ms UTC, ascending. */
  readonly asOf: Float64Array;
  /** When each bar was first known, ms UTC; absent: from its close on. */
  readonly knownAt?: Float64Array | undefined;
  /** false: the bars begin later than the recorded history, and early enough for the first instant. Default: true. */
  readonly fromFirstBar?: boolean | undefined;
}

/** Instants with the number of bars that are complete, and known, at each. */
export interface Block {
  readonly asOf: Float64Array;
  readonly ends: Int32Array;
  readonly fromFirstBar: boolean;
}

/** A window with its newest row in the matrix that it is cut from. */
export type MadeWindow = PredictionWindow & { readonly row: number };

/** The window of each instant, and the features that all are cut from. A window throws where it cannot be had: see `windowFromBars`. */
export function windowsOf(
  pkg: VerifiedPackage,
  bars: Bars,
  { asOf, ends, fromFirstBar }: Block,
): { readonly windowAt: (at: number) => MadeWindow; readonly matrix: FeatureMatrix } {
  const { calendar: name, lookback } = pkg.preprocessing;
  const calendar = calendarFor(name);
  const set = packagedFeatureSetOrThrow(pkg.manifest);
  const end = ends.at(-1) ?? 0;
  const firstEnd = ends.find((at) => at > 0) ?? 0;
  const { filled, from } = barsFromAnchor(bars, pkg, { firstEnd, end, fromFirstBar });
  const matrix = buildFeatures(set, filled, calendar);
  const rows = rowsOf(bars, filled, { from, end });
  const isWhole = wholeWindows(matrix, lookback);
  const width = matrix.names.length;
  const windowAt = (at: number): MadeWindow => {
    const known = ends[at]!;
    if (known === 0) throw tooFew(lookback, lookback, 0);
    const row = rows[known - 1 - from]!;
    const lacking = matrix.firstWarmRow + lookback - (row + 1);
    if (lacking > 0) throw tooFew(lacking, row + 1 + lacking, row + 1);
    const values = matrix.values.subarray((row + 1 - lookback) * width, (row + 1) * width);
    if (!isWhole(row)) checkMade(values, pkg);
    const openTime = filled.openTime[row]!;
    const thresholds = thresholdsAfter(pkg, bars, { asOf: openTime, fromFirstBar });
    return {
      instrument: bars.instrument,
      values,
      lastClose: filled.close[row]!,
      asOf: openTime,
      staleBars: barsBehind(calendar, openTime, asOf[at]!, pkg),
      volatility: volatility20(filled.close.subarray(0, row + 1)),
      ...(thresholds && { thresholds }),
      row,
    };
  };
  return { windowAt, matrix };
}

/** How many of the bars are complete, and known, at each instant. */
export function endsOf(
  { preprocessing: { calendar: name, timeframe } }: VerifiedPackage,
  { openTime }: Bars,
  { asOf, knownAt }: AskedInstants,
): Int32Array {
  const calendar = calendarFor(name);
  const isThere = (bar: number, at: number): boolean =>
    calendar.closeTime(openTime[bar]!, timeframe) <= at &&
    (knownAt === undefined || knownAt[bar]! <= at);
  let end = 0;
  return Int32Array.from(asOf, (at) => {
    while (end < openTime.length && isThere(end, at)) end++;
    return end;
  });
}

/** Row of each recorded bar from `from` on among the filled ones; of those before them -1. */
function rowsOf(
  bars: Bars,
  filled: Bars,
  { from, end }: { readonly from: number; readonly end: number },
): Int32Array {
  let row = 0;
  const first = filled.openTime[0] ?? Infinity;
  return Int32Array.from({ length: end - from }, (_, i) => {
    const time = bars.openTime[from + i]!;
    if (time < first) return -1;
    while (filled.openTime[row]! < time) row++;
    return row;
  });
}

/** Is every value of the `lookback` rows up to a row finite? Each row is looked at once, however many windows hold it. */
function wholeWindows({ values, names, rows }: FeatureMatrix, lookback: number) {
  const newestBad = new Int32Array(rows);
  let bad = -1;
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * names.length;
    for (let at = row * names.length; at < end; at++) {
      if (Number.isFinite(values[at]!)) continue;
      bad = row;
      break;
    }
    newestBad[row] = bad;
  }
  return (row: number): boolean => newestBad[row]! <= row - lookback;
}
