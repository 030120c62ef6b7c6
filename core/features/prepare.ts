import type { Bars, Timeframe } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import { applyMissing, type MissingPolicy } from '../bars/index.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import {
  buildLabels,
  labelClasses,
  labelKindOrThrow,
  labelParamsOf,
  type LabelSpec,
} from '../labels/index.ts';
import { fitScaler, type ScalerState } from '../scaling/index.ts';
import {
  minimumSamples,
  type RefitPart,
  refitRows,
  type SampleShape,
  type SplitRows,
  splitRows,
  type SplitSpec,
  TooFewRowsError,
} from '../splits/index.ts';
import { buildFeatures } from './build.ts';
import type { FeatureSet } from './feature-set.ts';
import type { FeatureMatrix, LabelMatrix } from './matrix.ts';
import { classStatistics } from './class-statistics.ts';
import type { Prepared } from './prepared.ts';
import type { Refit } from './refit.ts';

export interface PreparePlan {
  readonly set: FeatureSet;
  readonly lookback: number;
  readonly label: LabelSpec;
  readonly split: SplitSpec;
  readonly scaling: {
    readonly features: ScalerState['kind'];
    readonly labels: ScalerState['kind'];
  };
  readonly timeframe: Timeframe;
  readonly calendar: Calendar;
  /** What stands in features for bars that were not recorded. Labels never look at such a bar. */
  readonly missing: MissingPolicy;
  /** What the served fit will be repeated on; absent: it will not. */
  readonly refit?: RefitPart | undefined;
}

export interface PreparedUnit {
  readonly prepared: Prepared;
  readonly summary: PreparedSummary;
  /** Where the plan asks for one. */
  readonly refit?: Refit;
}

/** A part of a split in words for events and reports. */
export interface PreparedSummary {
  /** Labelled samples that could be split. */
  readonly samples: number;
  /** Samples dropped by purge and embargo. */
  readonly dropped: number;
  /** Decision times per part and their first and last open time (ms UTC). */
  readonly parts: Readonly<
    Record<'train' | 'valid' | 'test', { rows: number; times: number; first: number; last: number }>
  >;
}

interface InstrumentRows {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly features: FeatureMatrix;
  readonly labels: LabelMatrix;
}

/**
 * Features, labels, split and scalers of one unit: one instrument, or a pool stacked one after the
 * other. `bars` are the recorded ones; the plan's policy fills their holes for features only. Windows
 * never cross instruments; scalers and label statistics see the training windows only.
 *
 * Throws `TooFewRowsError` (with the computed minimum), `features.notFinite`, `features.noBars`.
 */
export function prepareUnit(plan: PreparePlan, bars: readonly Bars[]): PreparedUnit {
  const stacked = stack(plan, bars);
  const { openTime, close, features, labels, changes, labelEnd } = stacked;
  const { horizons } = plan.label;
  const rows = sampleRows(plan, stacked.instruments);
  const samples = { ...shapeOf(plan), rows, openTime, labelEnd };
  const split = explained(plan, bars, () => splitRows(plan.split, samples));
  const { train } = split;
  const prepared: Prepared = {
    featureSet: plan.set.name,
    featureHash: plan.set.hash,
    featureNames: plan.set.names,
    lookback: plan.lookback,
    labelKind: plan.label.kind,
    labelParams: labelParamsOf(plan.label),
    horizons,
    timeframe: plan.timeframe,
    calendar: plan.calendar.name,
    instruments: stacked.instruments.map(({ id, from, to }) => ({ id, from, to })),
    openTime,
    close,
    features,
    labels,
    ...(hasClasses(plan.label) && { labelChanges: changes }),
    split: { train, valid: split.valid, test: split.test },
    ...fittedOn(plan, stacked, train),
    trainedThrough: latest(labelEnd, train, split.valid),
  };
  const summary = summarise(split, openTime, rows.length);
  if (plan.refit === undefined) return { prepared, summary };
  const again = refitRows(plan.split, samples, plan.refit);
  const lastTrained = openTime[train.at(-1)!]!;
  const refit: Refit = {
    part: plan.refit,
    rows: again,
    newer: again.filter((row) => openTime[row]! > lastTrained).length,
    ...fittedOn(plan, stacked, again),
    trainedThrough: latest(labelEnd, again),
  };
  return { prepared, summary, refit };
}

const hasClasses = ({ kind }: LabelSpec): boolean => labelClasses(labelKindOrThrow(kind)) > 0;

/** How far a sample reaches: what keeps parts of a split apart. */
const shapeOf = ({ set, lookback, label }: PreparePlan): SampleShape => ({
  horizons: label.horizons,
  reachBars: set.reachBars(lookback),
});

/** Scalers and label statistics of a training part: nothing else of the data is looked at. */
function fittedOn(
  { set, lookback, label, scaling }: PreparePlan,
  { openTime, features, labels, changes }: Stacked,
  train: Int32Array,
): Pick<Prepared, 'scalers' | 'trainLabelMean' | 'trainLabelVariance' | 'classes'> {
  const covered = windowRows(train, lookback, openTime.length);
  const horizons = label.horizons.length;
  const classes = labelClasses(labelKindOrThrow(label.kind));
  return {
    scalers: {
      features: fitScaler(scaling.features, features, set.names.length, covered),
      // The place of a class is a name: it has no scale.
      labels: fitScaler(classes > 0 ? 'none' : scaling.labels, labels, horizons, train, {
        clip: false,
      }),
    },
    ...labelStatistics(labels, horizons, train),
    ...(classes > 0 && { classes: classStatistics({ labels, changes, horizons, classes }, train) }),
  };
}

/** Says in bars what the split said in samples: bars are what a caller can add. */
function explained(plan: PreparePlan, bars: readonly Bars[], cut: () => SplitRows): SplitRows {
  try {
    return cut();
  } catch (error) {
    if (!(error instanceof TooFewRowsError)) throw error;
    const minimumBars = barsForPlan(plan);
    const have = Math.max(...bars.map(barCount));
    throw new TooFewRowsError(
      error.code,
      `${error.message}; with warm-up ${plan.set.warmupBars}, lookback ${plan.lookback} and the ` +
        `longest horizon that is ${minimumBars} bars, and there are ${have}`,
      { details: { ...error.details, minimumBars, bars: have }, cause: error },
    );
  }
}

type Stacked = ReturnType<typeof stack>;

function stack(plan: PreparePlan, recorded: readonly Bars[]) {
  const { calendar, missing, set } = plan;
  const pool = recorded.map((bars) => applyMissing(bars, calendar, missing, set.warmupBars));
  const rows = pool.reduce((sum, bars) => sum + barCount(bars), 0);
  if (pool.length === 0 || rows === 0) {
    throw new RatchetError('features.noBars', 'there are no bars to build features of');
  }
  const width = set.names.length;
  const h = plan.label.horizons.length;
  const openTime = new Float64Array(rows);
  const close = new Float64Array(rows);
  const features = new Float64Array(rows * width);
  const labels = new Float64Array(rows * h);
  const changes = new Float64Array(rows * h);
  const labelEnd = new Float64Array(rows);
  const instruments: InstrumentRows[] = [];
  let from = 0;
  for (const [i, bars] of pool.entries()) {
    const matrix = buildFeatures(set, bars, calendar);
    const labelled = labelsOnRecorded(plan, recorded[i]!, bars);
    openTime.set(bars.openTime, from);
    close.set(bars.close, from);
    features.set(matrix.values, from * width);
    labels.set(labelled.values, from * h);
    changes.set(labelled.changes, from * h);
    labelEnd.set(labelled.labelEnd, from);
    const to = from + barCount(bars);
    instruments.push({ id: bars.instrument, from, to, features: matrix, labels: labelled });
    from = to;
  }
  return { openTime, close, features, labels, changes, labelEnd, instruments };
}

/**
 * Labels of the rows of `filled`, from recorded bars alone: a price that a policy invented is neither
 * where a forecast is made nor what came of it, in training as in serving. Other rows are unknown.
 */
function labelsOnRecorded(plan: PreparePlan, recorded: Bars, filled: Bars): LabelMatrix {
  const labels = buildLabels(plan.label, recorded, plan.calendar);
  if (filled === recorded) return labels;
  const h = labels.horizons.length;
  const rows = barCount(filled);
  const values = new Float64Array(rows * h).fill(NaN);
  const changes = new Float64Array(rows * h).fill(NaN);
  const labelEnd = new Float64Array(rows).fill(NaN);
  for (let row = 0, from = 0; row < rows; row++) {
    const time = filled.openTime[row]!;
    while (from < labels.rows && recorded.openTime[from]! < time) from++;
    if (recorded.openTime[from] !== time) continue;
    values.set(labels.values.subarray(from * h, (from + 1) * h), row * h);
    changes.set(labels.changes.subarray(from * h, (from + 1) * h), row * h);
    labelEnd[row] = labels.labelEnd[from]!;
  }
  return { horizons: labels.horizons, rows, values, changes, labelEnd };
}

/** End rows of windows that are warm in every row and whose labels are all known. */
function sampleRows(plan: PreparePlan, instruments: readonly InstrumentRows[]): Int32Array {
  const rows: number[] = [];
  const width = plan.set.names.length;
  const h = plan.label.horizons.length;
  for (const { id, from, features, labels } of instruments) {
    requireFinite(id, features, width);
    const first = features.firstWarmRow + plan.lookback - 1;
    for (let row = first; row < features.rows; row++) {
      let known = true;
      for (let k = row * h; k < (row + 1) * h; k++) known &&= Number.isFinite(labels.values[k]!);
      if (known) rows.push(from + row);
    }
  }
  return Int32Array.from(rows);
}

/** A warm row with a value that is not finite would poison a fit silently; bars are to blame. */
function requireFinite(id: string, { firstWarmRow, values, names }: FeatureMatrix, width: number) {
  for (let at = firstWarmRow * width; at < values.length; at++) {
    if (Number.isFinite(values[at]!)) continue;
    const row = Math.floor(at / width);
    const feature = names[at % width]!;
    throw new RatchetError(
      'features.notFinite',
      `feature ${feature} of ${id} is not finite in bar ${row}: the bars have values that no ` +
        'missing policy filled, or prices that are not above 0',
      { details: { instrument: id, row, feature } },
    );
  }
}

/** Every row that some window covers, once. */
export function windowRows(endRows: Int32Array, lookback: number, rows: number): Int32Array {
  const covered = new Uint8Array(rows);
  for (const end of endRows) covered.fill(1, end - lookback + 1, end + 1);
  const list: number[] = [];
  for (let row = 0; row < rows; row++) if (covered[row] === 1) list.push(row);
  return Int32Array.from(list);
}

function labelStatistics(labels: Float64Array, horizons: number, train: Int32Array) {
  const trainLabelMean: number[] = [];
  const trainLabelVariance: number[] = [];
  for (let k = 0; k < horizons; k++) {
    let sum = 0;
    for (const row of train) sum += labels[row * horizons + k]!;
    const mean = sum / train.length;
    let squares = 0;
    for (const row of train) squares += (labels[row * horizons + k]! - mean) ** 2;
    trainLabelMean.push(mean);
    trainLabelVariance.push(squares / train.length);
  }
  return { trainLabelMean, trainLabelVariance };
}

function latest(labelEnd: Float64Array, ...parts: readonly Int32Array[]): number {
  let end = -Infinity;
  for (const part of parts) for (const row of part) end = Math.max(end, labelEnd[row]!);
  return end;
}

function summarise(split: SplitRows, openTime: Float64Array, samples: number): PreparedSummary {
  const part = (name: 'train' | 'valid' | 'test') => ({
    rows: split[name].length,
    times: split.times[name],
    first: openTime[split[name][0]!]!,
    last: openTime[split[name].at(-1)!]!,
  });
  return {
    samples,
    dropped: split.dropped,
    parts: { train: part('train'), valid: part('valid'), test: part('test') },
  };
}

/** Fewest bars per instrument for which `prepareUnit` does not refuse, where no bar is missing. */
export function barsForPlan(plan: PreparePlan): number {
  const { set, lookback, label, split } = plan;
  const samples = minimumSamples(split, shapeOf(plan));
  return set.rowsBeforeWindow(lookback) + samples + Math.max(...label.horizons);
}
