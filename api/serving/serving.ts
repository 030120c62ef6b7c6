import type { ConfidenceMode } from '../../core/predict/index.ts';
import type { PredictionAnswer } from '../../core/predict/index.ts';
import type { Bars } from '../../core/bars/bars.ts';
import type { BarRow } from '../../core/bars/index.ts';
import type { PastAnswers, PastQuestion } from '../../registry/past-answers.ts';
import type { Explanation } from './explanations.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';

/** What a prediction is computed from, apart from the package. */
export type PredictInput =
  /** The instrument's own bars, as they were known at `asOf` (ms UTC; absent: now). */
  | { readonly kind: 'instrument'; readonly instrument: string; readonly asOf?: number }
  /** Bars that the caller brings. */
  | { readonly kind: 'bars'; readonly instrument: string; readonly rows: readonly BarRow[] }
  /** Features that the caller brings, row-major [lookback x features]. */
  | {
      readonly kind: 'window';
      readonly instrument: string;
      readonly values: Float64Array;
      readonly lastClose: number;
      readonly openTime: number;
    };

/** Of who names no instrument: the model's only one is meant. */
type Unnamed<I> = I extends PredictInput
  ? Omit<I, 'instrument'> & { readonly instrument: undefined }
  : never;

export interface PredictRequest {
  readonly model: string;
  /** Absent: the champion. */
  readonly version?: number | undefined;
  readonly input: PredictInput | Unnamed<PredictInput>;
  readonly confidence: ConfidenceMode;
  readonly record: boolean;
  readonly requestId: string;
  readonly keyId: string;
  /** Of the batch that it stands in; absent: it stands alone. */
  readonly batchId?: string | undefined;
  /** Requests with the same one stay on the same arm of a canary; absent: API key and instrument. */
  readonly routingKey?: string | undefined;
}

/** Predictions of one version, one after the other or at once. */
export interface ServedBatch {
  readonly batchId: string;
  readonly version: number;
  readonly generation: number;
  readonly packageDigest: string;
  /** Fails as `Serving.predict` does; one that fails is no matter to the others. */
  predict(input: PredictRequest['input']): Promise<PredictionAnswer>;
}

/** What serves a model here and now. */
export interface ServedDescription {
  readonly model: string;
  readonly version: number;
  readonly generation: number;
  readonly pkg: VerifiedPackage;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words; empty when ready. */
  readonly reasons: readonly string[];
  /** Parts that are away while predictions go on. */
  readonly missing: readonly string[];
}

/** The predict side of the API: everything here works with all servers stopped. */
export interface Serving {
  predict(request: PredictRequest): Promise<PredictionAnswer>;
  /** The same as JSON. */
  predictText(request: PredictRequest): Promise<string>;
  /**
   * Holds one version for all predictions of `work`: the champion of this moment, or the one that is named. Trials take no
   * part: a batch that two versions answered could not be compared with itself.
   */
  withBatch<T>(
    request: Omit<PredictRequest, 'input' | 'batchId' | 'routingKey'>,
    work: (batch: ServedBatch) => Promise<T>,
  ): Promise<T>;
  /** Forecasts of raw windows [lookback x features] in learnt label units, row-major [n x horizons]. */
  infer(
    model: string,
    version: number | undefined,
    windows: readonly Float64Array[],
  ): Promise<{ readonly version: number; readonly values: Float64Array }>;
  /** Bars that the model reads for an instrument: the newest, or those known at `asOf` (ms UTC). */
  bars(
    model: string,
    version: number | undefined,
    instrument: string,
    asOf?: number,
  ): Promise<Bars>;
  /**
   * What each feature contributed to an answer of a version: to the window of `input` that ends with the bar `asOf` (ms UTC).
   * Off the hot path; see `Explainer.explain` for what it throws.
   */
  explain(
    model: string,
    version: number,
    input: PredictRequest['input'],
    asOf: number,
  ): Promise<Explanation>;
  /** Answers of a model at many instants of the past, chunk by chunk; not recorded. See registry/past-answers.ts. */
  past(question: PastQuestion): AsyncGenerator<PastAnswers, void, undefined>;
  /** The package that answers for a model; throws where none does. */
  describe(model: string, version?: number): Promise<ServedDescription>;
  readiness(): Readiness;
}
