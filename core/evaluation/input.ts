import type { EpochEvent, FeatureImportance } from '../models/model.ts';
import type { QualityReport } from '../quality/report.ts';
import type { ClassStatistics, LabelStatistics } from '../features/prepared.ts';
import type { LabelKind } from '../labels/index.ts';
import type { Evaluation } from './evaluation.ts';

/** Forecasts of a trained seed on the test rows. */
export interface SeedForecast {
  readonly seed: number;
  readonly bestValidLoss: number;
  /** Null where the weights were chosen by no validation part. */
  readonly bestEpoch: number | null;
  readonly epochsRun: number | null;
  readonly weightsDigest: string;
  readonly history: readonly EpochEvent[];
  /** By horizon, in order of the features. */
  readonly importance?: readonly FeatureImportance[] | undefined;
  /** Row-major [test rows x outputs]: units of the labels, or probabilities of classes horizon by horizon. */
  readonly predictions: Float64Array;
}

export interface NamedForecast {
  readonly name: string;
  /** Row-major [test rows x outputs]: units of the labels, or probabilities of classes horizon by horizon. */
  readonly predictions: Float64Array;
}

/** The version that serves now, on the same test rows; NaN where it gives no forecast. */
export interface ChampionForecast {
  readonly version: number;
  /** ms UTC. */
  readonly trainedThrough: number;
  /** First decision (ms UTC) new to it, behind the embargo after what it was trained on. Absent: there is no embargo. */
  readonly newFrom?: number;
  readonly predictions: Float64Array;
}

/** Rows nothing was fitted or chosen on: window ends of the test part, all labels known. */
export interface TestRows {
  /** ms UTC of each row; the same time for several instruments. */
  readonly openTime: Float64Array;
  /** Row-major [rows x horizons]. */
  readonly labels: Float64Array;
  /** Simple returns that came, row-major [rows x horizons]; of labels with classes. */
  readonly changes?: Float64Array | undefined;
  /** Position of each row's instrument; absent: there is one. */
  readonly instrument?: Int32Array | undefined;
  /** Volatility regime of each row (regimes.ts), -1 unknown; absent: no slices. */
  readonly regime?: Int32Array | undefined;
  /** Of several folds: position in `folds` of the one that forecast the row. */
  readonly fold?: Int32Array | undefined;
  /** Of several folds: position in `byInstrument` of what the row's fold says of its instrument. */
  readonly training?: Int32Array | undefined;
}

/** Position in `byInstrument` of what the training rows say of a row's instrument. */
export const trainingAt = ({ training, instrument }: TestRows, row: number): number =>
  training?.[row] ?? instrument?.[row] ?? 0;

/** What the training rows of one instrument of a pool say by themselves. */
export type InstrumentTraining = Pick<LabelStatistics, 'trainLabelMean' | 'classes'>;

export interface EvaluatedPart {
  readonly samples: number;
  /** Decision times among them; fewer where instruments are pooled. */
  readonly times?: number | undefined;
  /** ISO dates of the first and last window end. */
  readonly from: string;
  readonly to: string;
}

export interface EvaluatedFold {
  readonly train: EvaluatedPart;
  readonly valid: EvaluatedPart;
  readonly test: EvaluatedPart;
  /** ms UTC. */
  readonly trainedThrough: number;
}

export interface EvaluatedDataset {
  readonly instrument: string;
  readonly hash: string;
  readonly firstBar: string;
  readonly lastBar: string;
  readonly deliveredBy: string;
}

export interface JudgedAgain extends Omit<NonNullable<Evaluation['again']>, 'parts'> {
  /** Last decision of its own test part, ms UTC. */
  readonly ownTestTo: number;
}

/** Everything an evaluation reads. */
export interface EvaluationInput {
  readonly model: string;
  readonly family: string;
  /** Its probabilities are those of actions that were learnt by trading, not of what will come. */
  readonly learnsByTrading?: true | undefined;
  /** Of an ensemble with registered versions: what it is made of, in words. */
  readonly members?: readonly string[] | undefined;
  readonly codeVersion: string;
  readonly instruments: readonly string[];
  readonly timeframe: string;
  /** Bars in a trading day; 1 for daily bars. */
  readonly barsPerDay: number;
  readonly featureSet: string;
  readonly featureHash: string;
  readonly featureCount: number;
  readonly featureNames?: readonly string[];
  readonly lookback: number;
  /** What was done to outliers of the training rows, in words; absent: nothing. */
  readonly outliers?: string | undefined;
  readonly label: LabelKind;
  /** The label's settings beside kind and horizons. */
  readonly labelParams?: Readonly<Record<string, unknown>>;
  readonly horizons: readonly number[];
  /** One a horizon, adding up to 1. */
  readonly lossWeights: readonly number[];
  readonly datasets: readonly EvaluatedDataset[];
  readonly quality: readonly QualityReport[];
  /** Of several folds: the newest. */
  readonly split: {
    readonly train: EvaluatedPart;
    readonly valid: EvaluatedPart;
    readonly test: EvaluatedPart;
  };
  /** In order of their test parts, the newest last; absent: there is one. */
  readonly folds?: readonly EvaluatedFold[];
  /** A search chose the hyperparameters, on the validation part of the newest fold. */
  readonly searched?: boolean;
  /** What the served weights will be fitted on after this; absent: the evaluated ones are served. */
  readonly refit?: Evaluation['refit'];
  /** The search that chose the hyperparameters; absent: the spec gives them. */
  readonly search?: Evaluation['search'];
  /** Datasets that features read and whose old values are those of today, later revisions included. */
  readonly restated?: readonly string[];
  /** Version that every seed's fit went on from; absent: they began anew. */
  readonly continuedFrom?: number | undefined;
  /** A version that existed is judged again: by one forecast, whatever it is made of. */
  readonly again?: JudgedAgain;
  /** ms UTC. */
  readonly trainedThrough: number;
  readonly trainLabelMean: readonly number[];
  readonly trainLabelVariance: readonly number[];
  /** Of labels with classes. */
  readonly classes?: ClassStatistics | undefined;
  /**
   * The same by instrument, in their order; of pooled units, where knowing which instrument a row belongs to must
   * not pass for skill. Of several folds one list after the other (see `rows.training`). Absent: one of both.
   */
  readonly byInstrument?: readonly (InstrumentTraining | undefined)[] | undefined;
  readonly rows: TestRows;
  readonly seeds: readonly SeedForecast[];
  /** The median seed is served, which is the default, or the mean of all. */
  readonly serve?: 'medianSeed' | 'seedEnsemble';
  readonly baselines: readonly NamedForecast[];
  readonly champion: ChampionForecast | null;
  /** Level of the gate over all tries. */
  readonly alpha: number;
  /** Challengers already tested against this champion. */
  readonly triesBefore: number;
  /** Where a served confidence was compared with what happened. */
  readonly reliability?: readonly Reliability[];
}

/** Stated confidence against the observed hit rate, per bin. */
export interface Reliability {
  readonly horizon: number;
  readonly bins: readonly {
    readonly stated: number;
    readonly observed: number;
    readonly rows: number;
  }[];
}
