import { fillMissing, type MissingPolicy, missingPolicyOf } from '../bars/index.ts';
import { barCount, sliceBars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import type { Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { calendarFor } from '../calendar/index.ts';
import { newestRows, packagedFeatureSetOrThrow } from '../features/index.ts';
import { ANCHOR_BARS, use } from '../indicators/index.ts';
import { volatility } from '../indicators/volatility.ts';
import { labelKindOrThrow } from '../labels/index.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import { volatility20 } from './direction.ts';
import { PredictError } from './predict-error.ts';
import { checkFinite, checkMade } from './window-values.ts';

/** What a forecast is computed from. */
export interface PredictionWindow {
  readonly instrument: string;
  /** Raw features, row-major [lookback x features]. */
  readonly values: Float64Array;
  readonly lastClose: number;
  /** Open time of the window's last bar, ms UTC. */
  readonly asOf: number;
  /** Complete bars that the calendar has after `asOf` at the time of asking. */
  readonly staleBars: number;
  /** Of labels with classes, by horizon: least moves that leave "nothing changes"; NaN where not known. */
  readonly thresholds?: readonly number[];
  /** SD of the last 20 log returns; undefined where it cannot be known. */
  readonly volatility: number | undefined;
}

/** What carries vol_20 in the feature sets that have it, for windows that come without bars. */
const VOLATILITY_20 = use(volatility, { period: 20 }).key;

const iso = (time: number): string => new Date(time).toISOString();

/** Complete bars of the calendar after the one that opens at `openTime`, at the instant `now`. */
export function barsBehind(
  calendar: Calendar,
  openTime: number,
  now: number,
  pkg: VerifiedPackage,
) {
  const { timeframe } = pkg.preprocessing;
  const newest = calendar.indexOf(now, timeframe);
  const open = calendar.closeTime(calendar.openTimeAt(newest, timeframe), timeframe) > now;
  return Math.max(0, newest - (open ? 1 : 0) - calendar.indexOf(openTime, timeframe));
}

export function checkInstrument(pkg: VerifiedPackage, instrument: string): void {
  const { instruments, model } = pkg.manifest;
  if (instruments.includes(instrument)) return;
  throw new PredictError(
    'predict.unknown-instrument',
    `${model} answers for ${instruments.join(', ')}, not for ${instrument}`,
    { details: { instrument, instruments } },
  );
}

/** Throws `predict.timeframe`. */
export function checkTimeframe(
  { manifest, preprocessing: { timeframe } }: VerifiedPackage,
  bars: Bars,
): void {
  if (bars.timeframe === timeframe) return;
  throw new PredictError(
    'predict.timeframe',
    `${manifest.model} reads ${timeframe} bars, not ${bars.timeframe}`,
  );
}

/** Number of leading bars that are complete at `asOf`. */
function completeBars(bars: Bars, calendar: Calendar, asOf: number): number {
  let n = barCount(bars);
  while (n > 0 && calendar.closeTime(bars.openTime[n - 1]!, bars.timeframe) > asOf) n--;
  return n;
}

export function tooFew(missing: number, needed: number, have: number): PredictError {
  return new PredictError(
    'predict.too-few-bars',
    `${needed} complete bars are needed, ${missing} more than the ${have} there are`,
    { details: { missing, needed, have } },
  );
}

/**
 * Calendar bars to keep before the anchor. Memories count bars that exist: where holes stay, a row's
 * memory reaches further back in time than the calendar says, and may end before that anchor.
 */
const MARGIN_BARS: Readonly<Record<MissingPolicy, number>> = {
  ffill: 0,
  zero: 0,
  drop: ANCHOR_BARS,
};

/** The bars from the anchor of the newest window's first row on; see `barsFromAnchor`. */
function barsSinceAnchor(
  bars: Bars,
  pkg: VerifiedPackage,
  options: { asOf: number; fromFirstBar: boolean },
): Bars {
  const { calendar: name, timeframe, lookback } = pkg.preprocessing;
  const calendar = calendarFor(name);
  checkTimeframe(pkg, bars);
  const end = completeBars(bars, calendar, options.asOf);
  if (end === 0) {
    const set = packagedFeatureSetOrThrow(pkg.manifest);
    const needed = set.barsNeeded(options.asOf, lookback, calendar, timeframe);
    throw tooFew(needed, needed, 0);
  }
  const { fromFirstBar } = options;
  return barsFromAnchor(bars, pkg, { firstEnd: end, end, fromFirstBar }).filled;
}

/**
 * The bars from the anchor of a window's first row (the one before it, where holes stay and bars reach so far), for the
 * window that ends with bar `firstEnd` - 1 and all up to that with `end` - 1, holes treated as in training. What lies
 * before cannot change a feature. `from`: the first recorded bar that was looked at.
 * Throws `predict.too-few-bars`; where the bars begin with the recorded history, what there is has to do.
 */
export function barsFromAnchor(
  bars: Bars,
  pkg: VerifiedPackage,
  { firstEnd, end, fromFirstBar }: { firstEnd: number; end: number; fromFirstBar: boolean },
): { readonly filled: Bars; readonly from: number } {
  if (firstEnd === 0) return { filled: sliceBars(bars, 0, 0), from: 0 };
  const { calendar: name, timeframe, lookback } = pkg.preprocessing;
  const calendar = calendarFor(name);
  const set = packagedFeatureSetOrThrow(pkg.manifest);
  const last = bars.openTime[firstEnd - 1]!;
  const needed = set.barsNeeded(last, lookback, calendar, timeframe);
  const anchor = calendar.indexOf(last, timeframe) - needed + 1;
  const first = calendar.indexOf(bars.openTime[0]!, timeframe);
  const lacking = first - anchor;
  if (lacking > 0 && !fromFirstBar) throw tooFew(lacking, needed, needed - lacking);
  const start = Math.max(
    anchor - MARGIN_BARS[missingPolicyOf(pkg.preprocessing, bars.instrument)],
    Math.min(anchor, first),
  );
  const anchorTime = calendar.openTimeAt(start, timeframe);
  let from = 0;
  // One bar before the anchor stays until holes are filled: it may be what fills the anchor's bar.
  while (from + 1 < firstEnd && bars.openTime[from + 1]! <= anchorTime) from++;
  const head = fromFirstBar && from === 0 ? set.warmupBars : 0;
  const filled = fillMissing(sliceBars(bars, from, end), calendar, pkg.preprocessing, head);
  const skipped = bars.openTime[from]! < anchorTime ? firstFrom(filled, anchorTime) : 0;
  return { filled: sliceBars(filled, skipped), from };
}

function firstFrom(bars: Bars, time: number): number {
  const at = bars.openTime.findIndex((openTime) => openTime >= time);
  return at < 0 ? barCount(bars) : at;
}

/**
 * The newest window of `bars` whose last bar is complete at `asOf`, with the features that training saw.
 *
 * `fromFirstBar`: the bars begin where the instrument's recorded history begins, which counts as an
 * anchor too. Throws `predict.too-few-bars` (details: missing, needed, have), `predict.timeframe`,
 * `predict.unknown-instrument`, `predict.stale-source`, `predict.bad-window` (a feature that is not finite).
 */
export function windowFromBars(
  pkg: VerifiedPackage,
  bars: Bars,
  options: { readonly asOf: number; readonly fromFirstBar?: boolean },
): PredictionWindow {
  checkInstrument(pkg, bars.instrument);
  const { calendar: name, lookback } = pkg.preprocessing;
  const calendar = calendarFor(name);
  const fromFirstBar = options.fromFirstBar ?? false;
  const used = barsSinceAnchor(bars, pkg, { asOf: options.asOf, fromFirstBar });
  const rows = barCount(used);
  const set = packagedFeatureSetOrThrow(pkg.manifest);
  const lacking = Math.min(rows, set.warmupBars) + lookback - rows;
  if (lacking > 0) throw tooFew(lacking, rows + lacking, rows);
  const values = newestRows(set, used, calendar, lookback);
  checkMade(values, pkg);
  const asOf = used.openTime[rows - 1]!;
  const thresholds = thresholdsAfter(pkg, bars, { asOf, fromFirstBar });
  return {
    instrument: bars.instrument,
    values,
    lastClose: used.close[rows - 1]!,
    asOf,
    staleBars: barsBehind(calendar, asOf, options.asOf, pkg),
    volatility: volatility20(used.close),
    ...(thresholds && { thresholds }),
  };
}

/**
 * From the recorded closes up to `asOf`, as labels are made; undefined of a label without classes. Where bars begin later
 * than the history, fewer closes than a label looks at would say another threshold than training had: NaN.
 */
export function thresholdsAfter(
  { preprocessing: { label } }: VerifiedPackage,
  { openTime, close }: Bars,
  { asOf, fromFirstBar }: { readonly asOf: number; readonly fromFirstBar: boolean },
): readonly number[] | undefined {
  const kind = labelKindOrThrow(label.kind);
  if (kind.task === 'regression') return undefined;
  const end = lowerBound(openTime, asOf) + 1;
  const params = label.params ?? {};
  const reach = kind.thresholdBars(params);
  if (end < reach && !fromFirstBar) return label.horizons.map(() => NaN);
  const known = close.subarray(Math.max(0, end - reach), end);
  return label.horizons.map((horizon) => kind.thresholdAfter(params, known, horizon));
}

/**
 * A window that the caller brings, row-major [lookback x features] in the order of
 * `preprocessing.featureNames`. Throws `predict.bad-window`, `predict.unknown-instrument`.
 */
export function windowFromValues(
  pkg: VerifiedPackage,
  input: {
    readonly instrument: string;
    readonly values: Float64Array;
    readonly lastClose: number;
    /** Open time of the last bar, ms UTC. */
    readonly openTime: number;
    /** Instant of asking, ms UTC: says how stale the window is. */
    readonly asOf: number;
  },
): PredictionWindow {
  checkInstrument(pkg, input.instrument);
  const { calendar: name, timeframe, lookback, featureNames } = pkg.preprocessing;
  const calendar = calendarFor(name);
  const expected = lookback * featureNames.length;
  if (input.values.length !== expected) {
    throw new PredictError(
      'predict.bad-window',
      `a window has ${lookback} rows of ${featureNames.length} features, ${expected} numbers; ` +
        `this one has ${input.values.length}`,
      { details: { field: 'window', expected, have: input.values.length } },
    );
  }
  checkFinite(input.values, pkg);
  if (!(input.lastClose > 0 && Number.isFinite(input.lastClose))) {
    throw new PredictError('predict.bad-window', 'the last close must be a positive number', {
      details: { field: 'lastClose' },
    });
  }
  if (!calendar.isOpen(input.openTime, timeframe)) {
    throw new PredictError(
      'predict.bad-window',
      `${calendar.name} has no ${timeframe} bar that opens at ${iso(input.openTime)}`,
      { details: { field: 'openTime' } },
    );
  }
  const { columns } = packagedFeatureSetOrThrow(pkg.manifest);
  const column = columns.findIndex((one) => one.use.key === VOLATILITY_20);
  return {
    instrument: input.instrument,
    values: input.values,
    lastClose: input.lastClose,
    asOf: input.openTime,
    staleBars: barsBehind(calendar, input.openTime, input.asOf, pkg),
    volatility: column < 0 ? undefined : input.values[expected - featureNames.length + column],
  };
}
