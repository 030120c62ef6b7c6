import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bars } from '../bars/bars.ts';
import { calendarFor } from '../calendar/index.ts';
import { RatchetError } from '../errors.ts';
import { buildFeatures, packagedFeatureSetOrThrow, type FeatureMatrix } from '../features/index.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { FallbackReason } from './answer.ts';
import { volatility20 } from './direction.ts';
import { fallbackReasonOf, hasFallback } from './fallback.ts';
import type { OpenedPackage } from './opened.ts';
import { forecastFrom, naiveForecast, windowValues, type Forecast } from './predict.ts';
import {
  barsBehind,
  barsFromAnchor,
  checkInstrument,
  checkTimeframe,
  thresholdsAfter,
  tooFew,
  type PredictionWindow,
} from './window.ts';
import { checkMade } from './window-values.ts';

/** Windows of one run of the graph: 64 of 60 x 152 float64 are 4.7 MB. */
const CHUNK = 64;

/**
 * Instants whose features are built at once: so many rows of 152 columns are 5 MB and a third of a second of this thread, and
 * what each block reads of the bars before it (memories, anchors) is little beside it.
 */
const BLOCK = 4_096;

/** What was answered at one instant of a range; `problem`: why nothing could be. */
export type RangeAnswer = { readonly asOf: number } & (
  | {
      readonly forecast: Forecast;
      readonly fallback: 'naive' | null;
      readonly fallbackReason: FallbackReason | null;
    }
  | { readonly problem: RatchetError }
);

/** Instants that are asked about. */
export interface AskedInstants {
  /** ms UTC, ascending. */
  readonly asOf: Float64Array;
  /** When each bar was first known, ms UTC; absent: from its close on. */
  readonly knownAt?: Float64Array | undefined;
  /** false: the bars begin later than the recorded history, and early enough for the first instant. Default: true. */
  readonly fromFirstBar?: boolean | undefined;
}

/**
 * The answers of a package at many instants, chunk by chunk: each is what `predict` says at that instant without confidence,
 * from the bars known by then, for the features of one bar do not depend on later ones, and are built once for many.
 * `bars` are the recorded history (see `fromFirstBar`), and no bar of it may have been revised, or have come behind a later one,
 * between the first and the last instant (registry/knowledge.ts parts a range where one was). Memory: the bars, and the
 * features of one block of them.
 *
 * An instant that cannot be answered gives its problem (`predict.too-few-bars`, ...; see `windowFromBars`); a computation that
 * fails gives the declared fallback, marked. Throws `predict.unknown-instrument` and `predict.timeframe`.
 */
export async function* forecastRange(
  pkg: OpenedPackage,
  bars: Bars,
  asked: AskedInstants,
): AsyncGenerator<readonly RangeAnswer[], void, undefined> {
  checkInstrument(pkg.verified, bars.instrument);
  checkTimeframe(pkg.verified, bars);
  const ends = endsOf(pkg.verified, bars, asked);
  const { fromFirstBar = true } = asked;
  for (let from = 0; from < asked.asOf.length; from += BLOCK) {
    const block = {
      asOf: asked.asOf.subarray(from, from + BLOCK),
      ends: ends.subarray(from, from + BLOCK),
      fromFirstBar,
    };
    yield* answersOf(pkg, bars, block);
  }
}

/** Instants with the number of bars that are complete, and known, at each. */
interface Block {
  readonly asOf: Float64Array;
  readonly ends: Int32Array;
  readonly fromFirstBar: boolean;
}

async function* answersOf(
  pkg: OpenedPackage,
  bars: Bars,
  block: Block,
): AsyncGenerator<readonly RangeAnswer[], void, undefined> {
  const { asOf } = block;
  const windowAt = windowsOf(pkg.verified, bars, block);
  for (let from = 0; from < asOf.length; from += CHUNK) {
    const chunk = [...asOf.subarray(from, from + CHUNK)].map((at, i) =>
      attempt(at, () => windowAt(from + i)),
    );
    const windows = chunk.flatMap((one) => ('window' in one ? [one.window] : []));
    const values = await valuesOf(pkg, windows);
    let next = 0;
    // Windows and answers take this thread: whoever waits for one prediction comes in between.
    await nextTurn();
    yield chunk.map((one) => ('window' in one ? answerOf(pkg.verified, one, values(next++)) : one));
  }
}

interface Asked {
  readonly asOf: number;
  readonly window: PredictionWindow;
}

function attempt(
  asOf: number,
  window: () => PredictionWindow,
): Asked | { readonly asOf: number; readonly problem: RatchetError } {
  try {
    return { asOf, window: window() };
  } catch (problem) {
    if (problem instanceof RatchetError) return { asOf, problem };
    throw problem;
  }
}

/** Forecast values by window; where the run of all fails each is asked alone, so that one takes no other with it. */
async function valuesOf(
  pkg: OpenedPackage,
  windows: readonly PredictionWindow[],
): Promise<(at: number) => Float64Array | Error> {
  if (windows.length === 0) return () => new Error('no window');
  try {
    const values = await windowValues(pkg, windows);
    const width = values.length / windows.length;
    return (at) => values.subarray(at * width, (at + 1) * width);
  } catch {
    const alone: (Float64Array | Error)[] = [];
    for (const window of windows) {
      const error = (cause: unknown): Error =>
        cause instanceof Error ? cause : new Error(String(cause));
      alone.push(await windowValues(pkg, [window]).catch(error));
    }
    return (at) => alone[at]!;
  }
}

function answerOf(
  pkg: VerifiedPackage,
  { asOf, window }: Asked,
  values: Float64Array | Error,
): RangeAnswer {
  try {
    if (values instanceof Error) throw values;
    const forecast = forecastFrom(pkg, window, values);
    return { asOf, forecast, fallback: null, fallbackReason: null };
  } catch (error) {
    if (!hasFallback(pkg)) return { asOf, problem: asProblem(pkg, error) };
    const forecast = naiveForecast(pkg, window);
    return { asOf, forecast, fallback: 'naive', fallbackReason: fallbackReasonOf(error) };
  }
}

const asProblem = ({ manifest }: VerifiedPackage, cause: unknown): RatchetError =>
  cause instanceof RatchetError
    ? cause
    : new RatchetError(
        'predict.inference-failed',
        `${manifest.model} ${manifest.version} could not compute a forecast`,
        { cause },
      );

/** The window of each instant, cut from features that are built once. */
function windowsOf(
  pkg: VerifiedPackage,
  bars: Bars,
  { asOf, ends, fromFirstBar }: Block,
): (at: number) => PredictionWindow {
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
  return (at) => {
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
    };
  };
}

/** How many of the bars are complete, and known, at each instant. */
function endsOf(
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
