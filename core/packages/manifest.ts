import type { MissingRules } from '../bars/index.ts';
import type { FeatureEntry } from '../features/index.ts';
import type { ClassStatistics } from '../features/prepared.ts';
import type { OutlierRecord } from '../scaling/index.ts';
import type { CompressionFacts } from './compression.ts';
import type { ScalerState } from '../scaling/scaler.ts';

export interface PackageFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What is forecast. `params`: the label's settings beside kind and horizons, where it has any. */
export interface PackagedLabel {
  readonly kind: string;
  readonly horizons: readonly number[];
  readonly params?: Readonly<Record<string, unknown>>;
}

/** A member that was fitted with the ensemble, or a version that had been registered before. */
export type PackagedMember =
  | { readonly family: string }
  | {
      readonly family: string;
      readonly model: string;
      readonly version: number;
      readonly weightsDigest: string;
    };

/** `manifest.json`: what a package is and what each file's bytes must be. Signed with Ed25519. */
export interface Manifest {
  readonly format: 1;
  readonly model: string;
  /** Given by the registry before packaging, so that the manifest binds it. */
  readonly version: number;
  readonly family: string;
  readonly instruments: readonly string[];
  readonly timeframe: string;
  readonly featureSet: string;
  readonly featureHash: string;
  /** Columns that the spec declared, from which serving makes the set again; absent: a set of the catalogue. */
  readonly featureColumns?: readonly FeatureEntry[];
  readonly label: PackagedLabel;
  readonly lookback: number;
  readonly datasetHash: string;
  readonly specHash: string;
  readonly seed: number;
  /** Where the graph gives the mean of several fits: their seeds, `seed` being the median one. */
  readonly seeds?: readonly number[];
  readonly weightsDigest: string;
  /** Open time of the last bar whose label was used for anything (ISO). */
  readonly trainedThrough: string;
  /** Where the weights were fitted once more after the evaluation, which is then that of their twin. */
  readonly refit?: {
    readonly part: 'trainValid' | 'all';
    /** Samples that these weights are fitted on. */
    readonly samples: number;
    /** Of them, those that lie after the twin's last training sample. */
    readonly newer: number;
    readonly twin: { readonly weightsDigest: string; readonly trainedThrough: string };
  };
  /** Of an ensemble with registered versions: its members in order, whose weights are in the graph. */
  readonly members?: readonly PackagedMember[];
  /** Where the spec asked for a smaller graph. */
  readonly compression?: CompressionFacts;
  readonly workflowId: string;
  readonly codeVersion: string;
  readonly libraries: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly files: readonly PackageFile[];
}

/** `preprocessing.json`: what serving needs beside the graph. */
export interface Preprocessing extends MissingRules {
  readonly featureSet: string;
  readonly featureNames: readonly string[];
  readonly lookback: number;
  readonly label: PackagedLabel;
  /** Of labels with classes: shares and mean returns of the training rows, by horizon and class. */
  readonly classes?: ClassStatistics;
  readonly scalers: { readonly features: ScalerState; readonly labels: ScalerState };
  /** Where each instrument is scaled by itself, in the manifest's order; the graph's input `instrument` says which. */
  readonly instrumentScalers?: readonly Preprocessing['scalers'][];
  /** What was done to outliers of the training rows; bounds of features are in their scaler. */
  readonly trainingOutliers?: OutlierRecord;
  readonly calendar: string;
  readonly timeframe: '1h' | '1d';
  readonly expiresAfter: number;
  /** What is served when inference fails. */
  readonly fallback: 'naive' | 'none';
  readonly confidence: ConfidenceCalibration;
  /** Forecasts beyond it are not shown as the model's; absent in packages of earlier releases. */
  readonly plausible?: PlausibleRange;
  /** When an answer says that it should not be acted on; absent: never. */
  readonly abstain?: {
    /** Abstain when no horizon is this sure; absent: sureness is no reason. */
    readonly minConfidence?: number;
  };
  /** Scores at which signals change (core/signals); absent: the defaults. */
  readonly recommendation?: { readonly buy: number; readonly strongBuy: number };
  /** Did the test part show a positive skill against naive on every horizon's weighted sum? */
  readonly beatsNaive: boolean;
}

/** What a forecast can be, in learnt label units: the training labels' mean +- `sds` SD, by horizon. */
export interface PlausibleRange {
  readonly sds: number;
  readonly byHorizon: readonly { readonly low: number; readonly high: number }[];
}

/** Per horizon, fitted on the validation part only (STATISTICS: directional confidence, interval80). */
export interface ConfidenceCalibration {
  /** `probability`: of labels with classes; nothing is sampled. */
  readonly method: 'directional' | 'relativeStd' | 'probability' | 'none';
  readonly samples: number;
  readonly noiseWidth: number;
  readonly byHorizon: readonly {
    /** Isotonic steps: share of samples in the answer's class (or its probability) -> observed hit rate. */
    readonly directional: IsotonicMap;
    /** Isotonic steps: share of samples above 0 (or p(rise) - p(fall)) -> observed share of rises. */
    readonly probabilityUp: IsotonicMap;
    /** Split-conformal 80 % quantile of abs(y - forecast)/s. */
    readonly intervalQuantile: number;
    /** Smallest s used: the 10 % quantile of the sample SD on valid. */
    readonly minSd: number;
  }[];
}

export interface IsotonicMap {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** `golden.json`: windows with known answers, probed before a package may serve. */
export interface GoldenProbes {
  /** base64 of float64 little-endian [probes, lookback, features]. */
  readonly windows: string;
  readonly close: readonly number[];
  /** Positions in the manifest's instruments; only where the graph reads them. */
  readonly instrument?: readonly number[];
  readonly expected: readonly (readonly number[])[];
  /** abs(difference) <= tolerance x max(abs(y), labelSd[output]); 1 of a probability. */
  readonly tolerance: number;
  readonly labelSd: readonly number[];
  /** Samples of the first window by the Monte-Carlo graph, noise keyed by `noiseKey`. */
  readonly monteCarlo?: {
    readonly noiseKey: string;
    readonly expected: readonly (readonly number[])[];
  };
}

/** `outliers.json`: training rows that a window is compared with, to say how unlike them it is. */
export interface StoredOutliers {
  /** By feature: standardised = (x - offset) * factor; factor 0 leaves a constant column out. */
  readonly offset: readonly number[];
  readonly factor: readonly number[];
  /** base64 of float32 little-endian [points, features], standardised. */
  readonly points: string;
  /** Distance at which a row counts as unlike the training rows: the dissimilarity index is 1. */
  readonly threshold: number;
  /** The quantile of distances between training rows that the threshold is. */
  readonly quantile: number;
  /** Bars within which two training rows count as the same and are not compared. */
  readonly apartBars: number;
  /** Training rows that the points were chosen from. */
  readonly trainRows: number;
}
