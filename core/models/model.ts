import type { z } from 'zod';
import { RatchetError } from '../errors.ts';
import type { ScalerState } from '../scaling/scaler.ts';
import type { Market, OpenEpisode } from './market.ts';
import type { RegisteredFit, RegisteredName, RegisteredVersion } from './registered.ts';

/**
 * Samples of one part of a split. A sample is a window of `lookback` consecutive rows of `features`
 * that ends at `endRow[i]`. Windows are never materialised here: a family slices what it needs.
 */
export interface Samples {
  /** Row-major [rows x featureCount], unscaled. */
  readonly features: Float64Array;
  readonly featureCount: number;
  readonly lookback: number;
  /** Row at which each window ends. */
  readonly endRow: Int32Array;
  /** Row-major [samples x horizons], unscaled label units; of a label with classes the place of the class. */
  readonly labels: Float64Array;
  readonly horizons: readonly number[];
  /** Number of classes of each label; 0 of a quantity. */
  readonly classes: number;
  /** ms UTC by row of `features`; absent: rows are consecutive bars of one instrument. */
  readonly openTime?: Float64Array | undefined;
  /** The bars of the rows of `features`, of all parts; only for families that learn by trading (`learnsByTrading`). */
  readonly market?: Market | undefined;
}

/** Windows without what came of them: what a model answers for. */
export type Windows = Pick<Samples, 'features' | 'featureCount' | 'lookback' | 'endRow'>;

export interface EpochEvent {
  /** Of a family that trains one part after the other: which. Epochs go on counting. */
  readonly stage?: string;
  readonly epoch: number;
  readonly epochs: number;
  /** Weighted training loss, scaled units. */
  readonly loss: number;
  /** Of validation: absent in a refit, which has no rows to spare. */
  readonly validLoss?: number;
  readonly lossByHorizon: readonly number[];
  readonly validLossByHorizon?: readonly number[];
  readonly validMaeByHorizon?: readonly number[];
  readonly learningRate: number;
  readonly seconds: number;
  readonly rssBytes: number;
}

/** Everything a fit may touch. Clock and randomness come from here only. */
export interface FitContext {
  readonly seed: number;
  /** The label that says "nothing changes": 0 for returns, 1 for the price ratio c[t+h] / c[t], the place of a class. */
  readonly neutralLabel: number;
  readonly scalers: { readonly features: ScalerState; readonly labels: ScalerState };
  /**
   * `save()` of a fitted model of the same family, hyperparameters that shape it and scalers: its weights are where this
   * fit begins, its trees those that this fit adds to. Only for families that can (`canContinue`).
   */
  readonly parent?: Uint8Array | undefined;
  /**
   * The registered versions that the hyperparameters name, in that order (`ModelDescriptor.registered`). They know nothing
   * of the validation and test parts that would not be fair; what they know of the training part is for the family to mind.
   */
  readonly registered?: readonly RegisteredFit[] | undefined;
  /** The engine of backtests, for families that learn by trading. */
  readonly openEpisode: OpenEpisode;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly rssBytes: () => number;
  /** Newest valid checkpoint of this fit, if any. */
  readonly loadCheckpoint: () => Promise<Uint8Array | undefined>;
  /** Publishes a checkpoint; resolves once it is durable. */
  readonly saveCheckpoint: (
    bytes: Uint8Array,
    at: { epoch: number; batch: number },
  ) => Promise<void>;
  readonly onEpoch: (event: EpochEvent) => void;
  /** Called often inside an epoch: liveness, and where a cancel is noticed. */
  readonly onBatch: (at: { epoch: number; batch: number; batches: number }) => void;
}

/** How much each feature took part in a model of trees, in order of the features. */
export interface FeatureImportance {
  /** Total gain of the splits on it. */
  readonly gain: readonly number[];
  /** Number of splits on it. */
  readonly split: readonly number[];
}

export interface FitSummary {
  readonly epochsRun: number;
  readonly bestEpoch: number;
  /** Of a refit: its twin's. */
  readonly bestValidLoss: number;
  /** Digest over all weights in order, little-endian (sha256 hex): "same seed, same weights". */
  readonly weightsDigest: string;
  readonly history: readonly EpochEvent[];
  /** What the validation rows chose beside the epoch, by name, one value a horizon. */
  readonly chosen?: Readonly<Record<string, readonly number[]>>;
  /** By horizon; of families of trees. */
  readonly importance?: readonly FeatureImportance[];
  /** Of a family made of others: what each of them says of its own fit, in order. */
  readonly members?: readonly MemberSummary[];
}

export interface MemberSummary {
  readonly family: string;
  /** Of a member that was not fitted here: which version it is. */
  readonly registered?: RegisteredVersion;
  readonly summary: FitSummary;
}

/** What the package needs besides weights to turn raw windows into label units. */
export interface ExportContext {
  readonly featureNames: readonly string[];
  readonly lookback: number;
  readonly horizons: readonly number[];
  /** Number of classes of each label; 0 of a quantity. */
  readonly classes: number;
  readonly scalers: FitContext['scalers'];
  /** By id, where each instrument is scaled by itself before the family sees it: `scalers` then do nothing. */
  readonly instrumentScalers?: Readonly<Record<string, FitContext['scalers']>>;
  /** `forwardPrice`: the graph multiplies its ratio by the input `close` [N,1]. */
  readonly multiplyByClose: boolean;
}

/**
 * ONNX graphs as bytes. `model`: x float64 [N, lookback, F] -> y float64 [N, H x K]: label units (K = 1), or the
 * probabilities of K classes, horizon by horizon.
 */
export interface ExportedGraphs {
  readonly model: Uint8Array;
  /** Monte-Carlo graph: x float64 [1, lookback, F], noise float32 [S, noiseWidth] -> y float64 [S, H x K]. */
  readonly monteCarlo?: { readonly graph: Uint8Array; readonly noiseWidth: number };
}

/** What each feature contributed to answers; of families that can say so exactly. */
export interface Contributions {
  /**
   * Row-major [rows x horizons x outputs x (features + learned + 1)]: a feature's share of the output, then those of what
   * a network has learnt to see, last what the output is without knowing any; they add up to the output.
   */
  readonly values: Float64Array;
  /** Columns of `values` that no feature names: outputs of a network in front; 0 for most families. */
  readonly learned: number;
  readonly horizons: number;
  /** Outputs of a horizon: 1 value, or one a class. */
  readonly outputs: number;
  /** `label`: in label units; `logit`: log-odds of two classes, logits of more. */
  readonly unit: 'label' | 'logit';
}

/** A fitted model in memory; `dispose` frees native memory. Using it before a fit is impossible by type. */
export interface FittedModel {
  readonly summary: FitSummary;
  /**
   * Predictions, row-major [samples x horizons x K]: *label units* (K = 1), or probabilities of K classes, which add up
   * to 1. `samples.labels` is not read.
   */
  predict(samples: Samples): Promise<Float64Array>;
  /** All state needed by `restore`, pickle-free. */
  save(): Uint8Array;
  export(ctx: ExportContext): ExportedGraphs;
  /** The file that `contributions` reads; absent where the family has none. */
  nativeFile?(): Uint8Array;
  dispose(): void;
}

export interface ModelImplementation<P> {
  fit(params: P, train: Samples, valid: Samples, ctx: FitContext): Promise<FittedModel>;
  /**
   * The fit of `twin` once more, on other rows: the same parameters and seed, and all that its validation rows chose
   * (epochs, learning rates, penalties) is taken from its summary. On the twin's own rows and scalers it gives the twin's
   * weights, bit for bit. Throws `training.twin` where the summary does not hold what is needed.
   */
  refit(params: P, twin: FitSummary, train: Samples, ctx: FitContext): Promise<FittedModel>;
  restore(bytes: Uint8Array): Promise<FittedModel>;
  /**
   * Contributions to the answers for some windows by a model's `nativeFile`, whose bytes the caller has verified. Loads
   * native code: never in a process that serves.
   */
  contributions?(nativeFile: Uint8Array, windows: Windows): Promise<Contributions>;
  /** Native libraries a fit depends on, by name: same seed, same weights holds for one set of them. */
  libraries?(params: P): Readonly<Record<string, string>>;
}

export type ModelTask = 'regression' | 'classification';

export interface ModelTraits {
  /** What it can learn: quantities, classes, or both. */
  readonly tasks: readonly ModelTask[];
  /** Wants scaled features and labels. */
  readonly needsScaling: boolean;
  /** Reads the whole window; otherwise only its last row. */
  readonly sequence: boolean;
  /** Its fit depends on the seed. */
  readonly stochastic: boolean;
  /** Needs TensorFlow in the training process. */
  readonly needsTensorflow: boolean;
  /**
   * Learns what to do by trading its training rows, whose market it is given: its probabilities are those of its actions,
   * not of what will come. Absent: it learns labels.
   */
  readonly learnsByTrading?: true;
  /** A fit may begin where another one ended (`FitContext.parent`); absent: it may not. */
  readonly canContinue?: true;
  /** Hyperparameter that says how long a fit trains (epochs, rounds): what a pruner cuts; absent: none. */
  readonly budget?: string;
  /** Path of what a training in a few numbers calls its rounds; absent: `budget`. */
  readonly rounds?: string;
  /** Has a Monte-Carlo graph. */
  readonly monteCarlo: boolean;
  /** What is counted while it trains; `step` of those that solve at once, and of those that count several things. */
  readonly iteration: 'epoch' | 'round' | 'step';
}

/** What a family is asked to learn. */
export interface Asked {
  readonly task: ModelTask;
  /** Number of horizons. */
  readonly horizons: number;
}

/** Hyperparameters that do not go with what is to be learnt; `path` is theirs. */
export interface ParamIssue {
  readonly path: string;
  readonly message: string;
  readonly suggestion?: string;
}

/** How the hyperparameters of a family name versions of registered models. */
export interface RegisteredUse<P> {
  /** Families that such a version may be of. */
  readonly families: readonly string[];
  /** In order, each with its path in the hyperparameters. */
  of(params: P): readonly (RegisteredName & { readonly path: string })[];
  /** The hyperparameters with these versions, as many, in the place of names. */
  named(params: P, versions: readonly RegisteredVersion[]): P;
}

/** A model family: a light descriptor; `load` brings the heavy part. */
export interface ModelDescriptor<P extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly docs: string;
  readonly params: P;
  readonly traits: ModelTraits;
  /** Raised whenever the same inputs give other weights: cached fits of an older version are not reused. */
  readonly version: number;
  /** Families whose fits are parts of its own: their versions count with its own. Absent: it has none. */
  partsOf?(params: z.output<P>): readonly ModelDescriptor[];
  /** Registered versions as parts of its fits. Absent: it has none. */
  readonly registered?: RegisteredUse<z.output<P>>;
  /** What single hyperparameters cannot say: those that do not go with the label. Absent: all do. */
  check?(params: z.output<P>, asked: Asked): readonly ParamIssue[];
  load(): Promise<{ implementation: ModelImplementation<z.infer<P>> }>;
}

export function defineModel<P extends z.ZodType>(model: ModelDescriptor<P>): ModelDescriptor<P> {
  return Object.freeze(model);
}

/** Names the code that a fit runs, its parts' included: other words, other weights. */
export function fitVersion(family: ModelDescriptor, params: unknown): string {
  const parts = family.partsOf?.(params) ?? [];
  return [family, ...parts].map(({ name, version }) => `${name}/${version}`).join(' ');
}

/** Does a fit of the family, or of one of its parts, need the market of its rows? */
export const needsMarket = (family: ModelDescriptor, params: unknown): boolean =>
  [family, ...(family.partsOf?.(params) ?? [])].some(({ traits }) => traits.learnsByTrading);

/** The refusal of a parent that this fit cannot go on from. */
export const unlikeParent = (what: string): RatchetError =>
  new RatchetError(
    'training.parent',
    `the model that this fit should go on from has other ${what}: train it fresh`,
    { details: { what } },
  );

/** The refusal of a refit whose twin does not say what it chose. */
export const twinLacks = (what: string): RatchetError =>
  new RatchetError(
    'training.twin',
    `the fit that should be repeated does not say what it chose (${what}): train it again`,
  );
