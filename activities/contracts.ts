import type { QualityFinding } from '../core/quality/report.ts';
import type { ArtifactRef, UnitFailure, VersionRef } from '../workflows/messages.ts';

/** What each activity takes and gives. One object in, one object out, references instead of data. */

export interface ExperimentRef {
  readonly experimentId: string;
}

/** One unit of training: one model (one instrument, or the pool of all). */
export interface FitUnit {
  readonly model: string;
  readonly instruments: readonly string[];
}

export interface OpenedExperiment extends ExperimentRef {
  readonly units: readonly FitUnit[];
  readonly seeds: readonly number[];
  /** The spec's family and its baselines. */
  readonly family: string;
  readonly baselines: readonly string[];
  readonly specHash: string;
  /** Models of several markets: one that fails fails alone. */
  readonly apart?: boolean;
  /** The spec asks for a search of hyperparameters before the fits. */
  readonly search?: SearchPlan;
}

/** What the workflow of a search must know of it. */
export interface SearchPlan {
  /** Trials at most. */
  readonly trials: number;
  /** Trial k begins once all trials up to k - parallel have ended. */
  readonly parallel: number;
  /** Fits of growing budget that a trial is at most made of. */
  readonly rungs: number;
}

export interface CollectInput extends ExperimentRef {
  readonly instrument: string;
}
export interface CollectResult {
  readonly instrument: string;
  readonly datasetHash: string;
  readonly bars: ArtifactRef;
  readonly firstBar: string;
  readonly lastBar: string;
  readonly deliveredBy: string;
  /** What was found while the bars were put together, e.g. launch artefacts trimmed. */
  readonly findings?: readonly QualityFinding[];
  readonly cached: boolean;
}

export interface ValidateInput extends ExperimentRef {
  readonly datasets: readonly CollectResult[];
}
export interface ValidateResult {
  readonly reports: ArtifactRef;
  readonly passed: boolean;
  /** Why it failed, in one sentence per instrument; empty when passed. */
  readonly reasons: readonly string[];
  /** The same by instrument. */
  readonly failed?: readonly { readonly instrument: string; readonly reason: string }[];
  readonly cached: boolean;
}

export interface SkipInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly datasets: readonly CollectResult[];
}
export type SkipResult =
  | { readonly skip: true; readonly version: number; readonly reason: string }
  | { readonly skip: false };

export interface BuildFeaturesInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly datasets: readonly CollectResult[];
}
/** Features, labels, split and scalers of one unit in one artifact (see activities/prepared.ts). */
export interface BuildFeaturesResult {
  readonly prepared: ArtifactRef;
  readonly samples: { readonly train: number; readonly valid: number; readonly test: number };
  /** Rows that the served fit is repeated on (core/features/refit.ts); absent where the spec asks for no refit. */
  readonly refit?: ArtifactRef;
  /** Folds before the one that `prepared` is (core/features/fold.ts), in order of time; absent where there are none. */
  readonly folds?: readonly ArtifactRef[];
  readonly cached: boolean;
}

/** A fit once more on other rows, with what its validation rows chose. */
export interface RefitOf {
  /** `refit` of BuildFeaturesResult. */
  readonly rows: ArtifactRef;
  /** `fitted` of the fit that is repeated: same family, same seed. */
  readonly twin: ArtifactRef;
}

export type Hyperparameters = Readonly<Record<string, unknown>>;

export interface FitInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly prepared: ArtifactRef;
  /** The spec's family, or a baseline. */
  readonly family: string;
  readonly seed: number;
  /** What a search chose, complete; absent: the spec's own. */
  readonly hyperparameters?: Hyperparameters | undefined;
  readonly refit?: RefitOf;
  /** One of `folds` of BuildFeaturesResult, and which (1: the oldest); absent: the newest, which `prepared` is. */
  readonly fold?: { readonly rows: ArtifactRef; readonly number: number };
}
export interface FitResult {
  readonly family: string;
  readonly seed: number;
  readonly fitted: ArtifactRef;
  readonly weightsDigest: string;
  readonly bestValidLoss: number;
  readonly bestEpoch: number;
  readonly epochsRun: number;
  readonly attempt: number;
  readonly resumedFromEpoch: number | null;
  readonly cached: boolean;
}

export interface FittedFold {
  readonly rows: ArtifactRef;
  readonly fits: readonly FitResult[];
  readonly baselines: readonly FitResult[];
}

export interface EvaluateInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly prepared: ArtifactRef;
  readonly fits: readonly FitResult[];
  readonly baselines: readonly FitResult[];
  readonly validation: ValidateResult;
  /** Bars of the unit: named in the report, and read when the champion uses another feature set. */
  readonly datasets: readonly CollectResult[];
  /** Older folds (`folds` of BuildFeaturesResult) with their fits, in order of time; absent: there are none. */
  readonly folds?: readonly FittedFold[] | undefined;
  /** Said in the report: what is evaluated is then the twin of what will be served. */
  readonly refit?: ArtifactRef | undefined;
}
export interface EvaluateResult {
  /** `Evaluation` of core/evaluation as JSON. */
  readonly evaluation: ArtifactRef;
  /** The report for people: one self-contained HTML file. */
  readonly report?: ArtifactRef;
  /** PNG charts, by file name (`loss-curves.png`, `forecast-7.png`, ...). */
  readonly plots?: readonly { readonly name: string; readonly artifact: ArtifactRef }[];
  /** The served seed on the test rows (core/evaluation/test-rows.ts). */
  readonly testRows?: ArtifactRef;
  /** Headline figures of the served seed, e.g. `mse_7`, `skillVsNaive`; null where undefined. */
  readonly metrics?: Readonly<Record<string, number | null>>;
  /** The seed with the median validation loss. */
  readonly servedSeed: number;
  /** All seeds are served, as their mean; absent: the served seed alone. */
  readonly serve?: 'seedEnsemble';
  readonly beatsNaive: boolean;
  readonly verdict: string;
}

export interface PackageInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly prepared: ArtifactRef;
  /** The served seed's; with a refit it is the twin that was evaluated, and calibrates the confidence. */
  readonly fit: FitResult;
  readonly evaluation: EvaluateResult;
  readonly datasets: readonly CollectResult[];
  /** What is packaged instead of `fit`, and the rows it was fitted on. */
  readonly refit?:
    | {
        readonly fit: FitResult;
        readonly rows: ArtifactRef;
        /** Of a mean of seeds: every seed's, `fit` among them. */
        readonly fits?: readonly FitResult[];
      }
    | undefined;
  /** Every seed's fit, `fit` among them, where their mean is packaged. */
  readonly fits?: readonly FitResult[] | undefined;
}
/** The version number is reserved (idempotently) before packaging: the manifest binds it. */
export interface PackageResult {
  readonly version: number;
  readonly manifest: ArtifactRef;
  readonly packageDigest: string;
}

export interface RegisterInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly package: PackageResult;
  readonly fits: readonly FitResult[];
  readonly evaluation: EvaluateResult;
}
export interface RegisterResult {
  readonly model: string;
  readonly version: number;
}

export interface DecideInput extends ExperimentRef {
  readonly unit: FitUnit;
  readonly version: number;
  readonly evaluation: EvaluateResult;
}
export interface DecideResult {
  readonly verdict: 'accept' | 'reject' | 'continue';
  readonly reasons: readonly string[];
  readonly promotionId: string;
  readonly expectedGeneration: number;
  /** The version goes on trial first; absent: an accepted one is promoted at once. */
  readonly trial?: 'shadow' | 'canary' | 'manual';
}

export interface FinishInput extends ExperimentRef {
  readonly status: 'completed' | 'skipped' | 'failed' | 'cancelled';
  readonly message: string;
  readonly versions: readonly VersionRef[];
  readonly failed?: readonly UnitFailure[];
}

/** A model that failed, while others of its experiment go on. */
export interface FailedUnitInput extends ExperimentRef, UnitFailure {}

export interface PromotionRef {
  readonly promotionId: string;
}
export interface IntentInput extends PromotionRef {
  readonly model: string;
  readonly version: number;
  readonly actor: string;
  readonly reason: string;
  readonly expectedGeneration: number;
}
export type IntentResult =
  | { readonly status: 'announced'; readonly replicas: number }
  | { readonly status: 'conflict'; readonly reason: string };
export interface WithdrawInput extends PromotionRef {
  readonly reason: string;
}
export type AwaitReplicasResult =
  { readonly status: 'ready' } | { readonly status: 'failed'; readonly reason: string };
export type SwitchResult =
  | {
      readonly status: 'promoted';
      readonly generation: number;
      /** The model is to be watched from now on; absent in what former releases answered. */
      readonly watched?: true;
    }
  | { readonly status: 'conflict'; readonly reason: string };
