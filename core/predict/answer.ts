export type Direction = 'up' | 'down' | 'neutral';

/** What a model of classes said. */
export interface ClassAnswer {
  /** The most probable class. */
  readonly class: string;
  /** By class, adding up to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** Least move that leaves "nothing changes", as a fraction of the last close; null where it cannot be known. */
  readonly threshold: number | null;
}

/** One horizon of a prediction. Prices in the instrument's currency, changes as fractions (0.01 = 1 %). */
export interface HorizonAnswer {
  readonly horizon: number;
  /** Session of the bar the forecast is for, ISO date (or instant for hourly bars). */
  readonly targetDate: string;
  /** Of classes: what `change` makes of the last close. */
  readonly price: number;
  /** Of classes: expected from their probabilities and their mean returns in the training part. */
  readonly change: number;
  /** up or down beyond +-0.5 %, else neutral; of classes what the answered class says. */
  readonly direction: Direction;
  /** 0.1..0.9; null with `confidence: none`. */
  readonly confidence: number | null;
  /** The seed's formula, shown beside; null with `confidence: none`. */
  readonly relativeStd: number | null;
  readonly probabilityUp: number | null;
  /** Prices; null with `confidence: none` and for classes. */
  readonly interval80: readonly [number, number] | null;
  /** Of labels with classes only. */
  readonly classes?: ClassAnswer;
}

/** Why an answer should not be acted on. */
export type AbstainReason =
  /** The window is unlike every training row: `dissimilarity` above 1. */
  | 'outlier'
  /** No class is more probable than the most frequent one of the training part by .02, at any horizon. */
  | 'undecided'
  /** No horizon is as sure as the spec's `serving.minConfidence`. */
  | 'low-confidence'
  /** That sureness is wanted, was asked for, and could not be computed. */
  | 'confidence-failed';

/** Why the fallback answered instead of the model. */
export type FallbackReason = 'inference-failed' | 'not-finite' | 'implausible';

export interface PredictionAnswer {
  readonly id: string;
  readonly batchId: string;
  readonly model: string;
  readonly version: number;
  readonly packageDigest: string;
  readonly instrument: string;
  /** Open time of the window's last bar (ISO). */
  readonly asOf: string;
  readonly lastClose: number;
  readonly horizons: readonly HorizonAnswer[];
  readonly consistency: number;
  readonly beatsNaive: boolean;
  /** Dissimilarity index of the window's last row; null where the package cannot say. */
  readonly dissimilarity: number | null;
  /** Dissimilarity above 1. */
  readonly outlier: boolean;
  /** The forecast is shown, and the spec's rule says not to act on it. */
  readonly abstain: boolean;
  readonly abstainReasons: readonly AbstainReason[];
  /** Confidence was asked for and could not be computed: the forecast stands without it. */
  readonly confidenceFailed: boolean;
  readonly stale: boolean;
  readonly staleBars: number;
  readonly generation: number;
  readonly generationAgeS: number;
  readonly fallback: null | 'naive';
  readonly fallbackReason: null | FallbackReason;
  /** Set where the challenger of a running trial answered in place of the champion. */
  readonly trial: { readonly role: 'canary'; readonly trialId: string } | null;
  readonly recorded: boolean;
}
