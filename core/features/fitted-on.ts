import { labelClasses, labelKindOrThrow, type LabelSpec } from '../labels/index.ts';
import {
  type Bounds,
  fitBounds,
  fitScaler,
  type OutlierRecord,
  type OutlierRule,
  type ScalerState,
  shareBeyond,
  withinBounds,
} from '../scaling/index.ts';
import { classStatistics } from './class-statistics.ts';
import type { FeatureSet } from './feature-set.ts';
import type { FittedParts, InstrumentStatistics, Scalers } from './prepared.ts';
import type { Stacked } from './stack.ts';

export interface FittedPlan {
  readonly set: FeatureSet;
  readonly lookback: number;
  readonly label: LabelSpec;
  readonly scaling: {
    readonly features: ScalerState['kind'];
    readonly labels: ScalerState['kind'];
    /** What a scaler is fitted on: all of a unit, or each instrument of a pool by itself. Absent: all. */
    readonly per?: 'unit' | 'instrument' | undefined;
  };
  /** What is done to outliers of the training rows; absent: nothing. */
  readonly outliers?: OutlierRules | undefined;
}

export interface OutlierRules {
  readonly features: OutlierRule;
  readonly labels: OutlierRule;
}

/** Scalers and label statistics of a training part: nothing else of the data is looked at. */
export function fittedOn(plan: FittedPlan, stacked: Stacked, train: Int32Array): FittedParts {
  const pooled = stacked.instruments.length > 1;
  const labelBounds = labelBoundsOf(plan, stacked, train);
  const scalers = scalersOf(plan, stacked, train, labelBounds);
  const outliers = outliersOf(plan, stacked, train, {
    features: scalers.features.bounds,
    labels: labelBounds,
  });
  return {
    scalers,
    ...(outliers && { outliers }),
    ...(labelBounds && { labelBounds }),
    ...statisticsOf(plan, stacked, train),
    ...(pooled && {
      byInstrument: stacked.instruments.map(({ from, to }) =>
        ofInstrument(
          plan,
          stacked,
          train.filter((row) => row >= from && row < to),
        ),
      ),
    }),
  };
}

/** Of an instrument that trains on no row nothing is known. */
function ofInstrument(
  plan: FittedPlan,
  stacked: Stacked,
  train: Int32Array,
): InstrumentStatistics | null {
  if (train.length === 0) return null;
  const scalers =
    plan.scaling.per === 'instrument' &&
    scalersOf(plan, stacked, train, labelBoundsOf(plan, stacked, train));
  return { ...statisticsOf(plan, stacked, train), ...(scalers && { scalers }) };
}

function scalersOf(
  { set, lookback, label, scaling, outliers }: FittedPlan,
  { openTime, features, labels }: Stacked,
  train: Int32Array,
  labelBounds: Bounds | undefined,
): Scalers {
  const width = set.names.length;
  const covered = windowRows(train, lookback, openTime.length);
  const bounds = outliers && fitBounds(outliers.features, features, width, covered);
  // The place of a class is a name: it has no scale.
  const labelKind = classesOf(label) > 0 ? 'none' : scaling.labels;
  const seen = labelBounds ? withinBounds(labels, labelBounds) : labels;
  return {
    features: fitScaler(scaling.features, features, width, covered, { bounds }),
    labels: fitScaler(labelKind, seen, label.horizons.length, train, { clip: false }),
  };
}

/** Of labels that are quantities: there is no class far from the others. */
function labelBoundsOf(
  { label, outliers }: FittedPlan,
  { labels }: Stacked,
  train: Int32Array,
): Bounds | undefined {
  if (outliers === undefined || classesOf(label) > 0) return undefined;
  return fitBounds(outliers.labels, labels, label.horizons.length, train);
}

interface FittedBounds {
  readonly features: Bounds | undefined;
  readonly labels: Bounds | undefined;
}

function outliersOf(
  { lookback, outliers }: FittedPlan,
  { openTime, features, labels }: Stacked,
  train: Int32Array,
  bounds: FittedBounds,
): OutlierRecord | undefined {
  if (!outliers || (!bounds.features && !bounds.labels)) return undefined;
  const covered = windowRows(train, lookback, openTime.length);
  return {
    ...(bounds.features && {
      features: { rule: outliers.features, share: shareBeyond(features, covered, bounds.features) },
    }),
    ...(bounds.labels && {
      labels: { rule: outliers.labels, share: shareBeyond(labels, train, bounds.labels) },
    }),
  };
}

const classesOf = ({ kind }: LabelSpec): number => labelClasses(labelKindOrThrow(kind));

function statisticsOf({ label }: FittedPlan, { labels, changes }: Stacked, train: Int32Array) {
  const horizons = label.horizons.length;
  const classes = classesOf(label);
  return {
    ...labelStatistics(labels, horizons, train),
    ...(classes > 0 && { classes: classStatistics({ labels, changes, horizons, classes }, train) }),
  };
}

/** Every row that some window covers, once. */
export function windowRows(endRows: Int32Array, lookback: number, rows: number): Int32Array {
  const covered = new Uint8Array(rows);
  for (const end of endRows) covered.fill(1, end - lookback + 1, end + 1);
  const list: number[] = [];
  for (let row = 0; row < rows; row++) if (covered[row] === 1) list.push(row);
  return Int32Array.from(list);
}

/** Mean and population variance of the labels of some rows, by horizon. */
export function labelStatistics(labels: Float64Array, horizons: number, train: Int32Array) {
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
