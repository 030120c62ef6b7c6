import type { Bars, Timeframe } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { MissingRules } from '../bars/index.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { labelClasses, labelKindOrThrow, labelParamsOf, type LabelSpec } from '../labels/index.ts';
import {
  minimumSamples,
  type RefitPart,
  refitRows,
  type SampleShape,
  splitFolds,
  type SplitInput,
  type SplitRows,
  type SplitSpec,
  TooFewRowsError,
} from '../splits/index.ts';
import { fittedOn, type FittedPlan } from './fitted-on.ts';
import type { Fold } from './fold.ts';
import type { Prepared } from './prepared.ts';
import type { Refit } from './refit.ts';
import { sampleRows, stack, type Stacked } from './stack.ts';

/** What rows are made by; its rules say what stands in features for bars that were not recorded. */
export interface RowsPlan extends FittedPlan, MissingRules {
  readonly timeframe: Timeframe;
  readonly calendar: Calendar;
  /** First prices are kept beside the closes, for families that learn by trading. */
  readonly market?: boolean | undefined;
}

/** What a unit is prepared by. */
export interface PreparePlan extends RowsPlan {
  readonly split: SplitSpec;
  /** What the served fit will be repeated on; absent: it will not. */
  readonly refit?: RefitPart | undefined;
}

export interface PreparedUnit {
  readonly prepared: Prepared;
  readonly summary: PreparedSummary;
  /** Where the plan asks for one. */
  readonly refit?: Refit;
  /** The folds before the newest, in order of their test parts; empty where the split has one. */
  readonly folds: readonly Fold[];
}

/** Parts of a split, of the newest fold, in words for events and reports. */
export interface PreparedSummary {
  /** Labelled samples that could be split. */
  readonly samples: number;
  /** Samples dropped by purge and embargo. */
  readonly dropped: number;
  /** Decision times per part and their first and last open time (ms UTC). */
  readonly parts: Readonly<
    Record<'train' | 'valid' | 'test', { rows: number; times: number; first: number; last: number }>
  >;
  /** Instruments whose sources had no traded value: it is volume x typical price. Absent: none. */
  readonly valueDerived?: readonly string[];
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
  const { openTime, labelEnd } = stacked;
  const rows = sampleRows(plan, stacked.instruments);
  const samples = { ...shapeOf(plan), rows, openTime, labelEnd };
  const folds = explained(plan, bars, () => splitFolds(plan.split, samples));
  const newest = folds.at(-1)!;
  const prepared: Prepared = { ...rowsOf(plan, stacked), ...foldOf(plan, stacked, newest) };
  const refit = refitOf(plan, stacked, samples, newest);
  return {
    prepared,
    summary: { ...summarise(newest, openTime, rows.length), ...derivedValues(bars) },
    ...(refit && { refit }),
    folds: folds.slice(0, -1).map((fold) => foldOf(plan, stacked, fold)),
  };
}

/** Features and labels of all rows, whatever part they stand in. */
export function rowsOf(plan: RowsPlan, stacked: Stacked): Omit<Prepared, keyof Fold> {
  const { openTime, open, close, features, labels, changes, instruments } = stacked;
  return {
    featureSet: plan.set.name,
    featureHash: plan.set.hash,
    featureNames: plan.set.names,
    lookback: plan.lookback,
    labelKind: plan.label.kind,
    labelParams: labelParamsOf(plan.label),
    horizons: plan.label.horizons,
    timeframe: plan.timeframe,
    calendar: plan.calendar.name,
    instruments: instruments.map(({ id, from, to }) => ({ id, from, to })),
    openTime,
    close,
    features,
    labels,
    ...(hasClasses(plan.label) && { labelChanges: changes }),
    ...(plan.market === true && { open }),
  };
}

function foldOf(plan: PreparePlan, stacked: Stacked, { train, valid, test }: SplitRows): Fold {
  return {
    split: { train, valid, test },
    ...fittedOn(plan, stacked, train),
    trainedThrough: latest(stacked.labelEnd, train, valid),
  };
}

function refitOf(
  plan: PreparePlan,
  stacked: Stacked,
  samples: SplitInput,
  twin: SplitRows,
): Refit | undefined {
  if (plan.refit === undefined) return undefined;
  const { openTime, labelEnd } = stacked;
  const rows = refitRows(plan.split, samples, plan.refit);
  const lastTrained = openTime[twin.train.at(-1)!]!;
  return {
    part: plan.refit,
    rows,
    newer: rows.filter((row) => openTime[row]! > lastTrained).length,
    ...fittedOn(plan, stacked, rows),
    trainedThrough: latest(labelEnd, rows),
  };
}

const hasClasses = ({ kind }: LabelSpec): boolean => labelClasses(labelKindOrThrow(kind)) > 0;

/** How far a sample reaches: what keeps parts of a split apart. */
const shapeOf = ({ set, lookback, label }: PreparePlan): SampleShape => ({
  horizons: label.horizons,
  reachBars: set.reachBars(lookback),
});

/** Says in bars what the split said in samples: bars are what a caller can add. */
function explained<T>(plan: PreparePlan, bars: readonly Bars[], cut: () => T): T {
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

function latest(labelEnd: Float64Array, ...parts: readonly Int32Array[]): number {
  let end = -Infinity;
  for (const part of parts) for (const row of part) end = Math.max(end, labelEnd[row]!);
  return end;
}

function derivedValues(bars: readonly Bars[]): Pick<PreparedSummary, 'valueDerived'> {
  const derived = bars.filter((one) => one.valueDerived).map(({ instrument }) => instrument);
  return derived.length > 0 ? { valueDerived: derived } : {};
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
