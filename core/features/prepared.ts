import { labelClasses, labelKindOrThrow, labelOutputs } from '../labels/index.ts';
import type { Market } from '../models/market.ts';
import type { Samples } from '../models/model.ts';
import { type OutlierRecord, withinBounds } from '../scaling/index.ts';
import type { Bounds, ScalerState } from '../scaling/scaler.ts';

export interface Scalers {
  readonly features: ScalerState;
  readonly labels: ScalerState;
}

/** What the labels of some training rows are like. */
export interface LabelStatistics {
  /** Per horizon over the training labels (population variance). */
  readonly trainLabelMean: readonly number[];
  readonly trainLabelVariance: readonly number[];
  /** Of labels with classes: what the training rows say of each, by horizon and class. */
  readonly classes?: ClassStatistics;
}

/** The training rows of one instrument of a pool. */
export interface InstrumentStatistics extends LabelStatistics {
  /** Where each instrument is scaled by itself. */
  readonly scalers?: Scalers | undefined;
}

/** What is fitted on a training part, and on nothing else, beside the weights. */
export interface FittedParts extends LabelStatistics {
  readonly scalers: Scalers;
  /** What is done to outliers of the training rows; absent: nothing. Bounds of features are in their scaler. */
  readonly outliers?: OutlierRecord;
  /** What training labels are brought within, by horizon: in a fit, never in an evaluation. */
  readonly labelBounds?: Bounds;
  /** Of a pool, in the order of its instruments; null where one has no training row. */
  readonly byInstrument?: readonly (InstrumentStatistics | null)[];
}

/**
 * Everything a fit, an evaluation or a package needs of the data: features, labels, split and scalers
 * of one unit. Instruments of a pooled unit are stacked; windows never cross from one to the next.
 */
export interface Prepared extends FittedParts {
  readonly featureSet: string;
  readonly featureHash: string;
  readonly featureNames: readonly string[];
  readonly lookback: number;
  readonly labelKind: string;
  /** The label's settings beside kind and horizons. */
  readonly labelParams: Readonly<Record<string, unknown>>;
  readonly horizons: readonly number[];
  readonly timeframe: '1h' | '1d';
  readonly calendar: string;
  /** Row ranges [from, to) by instrument. */
  readonly instruments: readonly {
    readonly id: string;
    readonly from: number;
    readonly to: number;
  }[];
  /** ms UTC by row. */
  readonly openTime: Float64Array;
  readonly close: Float64Array;
  /** Row-major [rows x features], unscaled; NaN in warm-up rows. */
  readonly features: Float64Array;
  /** Row-major [rows x horizons], unscaled; NaN where unknown. */
  readonly labels: Float64Array;
  /** Simple returns to the labels' bars, row-major [rows x horizons]; of labels with classes only. */
  readonly labelChanges?: Float64Array;
  /** First price by row, NaN where no bar was recorded; only where a family learns by trading. */
  readonly open?: Float64Array;
  /** Window end rows of each part, chronological, purged. */
  readonly split: {
    readonly train: Int32Array;
    readonly valid: Int32Array;
    readonly test: Int32Array;
  };
  /** Open time (ms) of the last bar whose label end was used by train or valid. */
  readonly trainedThrough: number;
}

/** Per horizon and class, over the training rows. */
export interface ClassStatistics {
  /** Shares of the rows, adding up to 1. */
  readonly priors: readonly (readonly number[])[];
  /** Mean simple return of the rows of the class; 0 where there is none. */
  readonly changes: readonly (readonly number[])[];
}

/** Values that a model gives for a window: one a horizon, or a probability for each of its classes. */
export const outputsOf = ({
  labelKind,
  horizons,
}: Pick<Prepared, 'labelKind' | 'horizons'>): number =>
  horizons.length * labelOutputs(labelKindOrThrow(labelKind));

/** The scale on which two values of each output are equal or not: the training label's SD; 1 of a probability. */
export function outputScales(prepared: Prepared): number[] {
  const classes = labelClasses(labelKindOrThrow(prepared.labelKind));
  if (classes > 0) return Array.from({ length: classes * prepared.horizons.length }, () => 1);
  return prepared.trainLabelVariance.map(Math.sqrt);
}

/** The samples of some window end rows, sharing the prepared memory. */
export function samplesOf(prepared: Prepared, rows: Int32Array): Samples {
  const h = prepared.horizons.length;
  const labels = new Float64Array(rows.length * h);
  for (let i = 0; i < rows.length; i++) {
    labels.set(prepared.labels.subarray(rows[i]! * h, (rows[i]! + 1) * h), i * h);
  }
  return {
    features: prepared.features,
    featureCount: prepared.featureNames.length,
    lookback: prepared.lookback,
    endRow: rows,
    labels,
    horizons: prepared.horizons,
    classes: labelClasses(labelKindOrThrow(prepared.labelKind)),
    openTime: prepared.openTime,
    ...(prepared.open && { market: marketOf(prepared, prepared.open) }),
  };
}

function marketOf(prepared: Prepared, open: Float64Array): Market {
  const { openTime, close, instruments, timeframe, calendar } = prepared;
  const label = labelKindOrThrow(prepared.labelKind);
  const positions = label.task === 'classification' ? label.directions : [];
  return { openTime, open, close, instruments, timeframe, calendar, positions };
}

/**
 * The training samples as a fit sees them: outliers within their bounds, where the spec declares so. A graph
 * must bring features within them too (its scaler does), or be unable to tell what lies beyond from the bound:
 * trees that were trained within bounds have no threshold outside of them.
 */
export function trainingSamples(prepared: Prepared): Samples {
  const samples = samplesOf(prepared, prepared.split.train);
  const { bounds } = prepared.scalers.features;
  const { labelBounds } = prepared;
  return {
    ...samples,
    ...(bounds && { features: withinBounds(samples.features, bounds) }),
    ...(labelBounds && { labels: withinBounds(samples.labels, labelBounds) }),
  };
}

export { decodePrepared, encodePrepared } from './prepared-codec.ts';
