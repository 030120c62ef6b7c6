import { RatchetError } from '../errors.ts';

/** `auto`: purge = the longest horizon, embargo = 0. */
export type AutoOr = number | 'auto';

export interface ChronologicalSplit {
  readonly kind: 'chronological';
  /** Shares of train, valid and test among the labelled decision times; they add up to 1. */
  readonly ratios: readonly [number, number, number];
  readonly purge: AutoOr;
  readonly embargo: AutoOr;
}

/** The newest bars; each part has exactly that many decision times after purging. */
export interface RecentSplit {
  readonly kind: 'recent';
  readonly trainBars: number;
  readonly validBars: number;
  readonly testBars: number;
  readonly purge: AutoOr;
  readonly embargo: AutoOr;
}

export type SplitSpec = ChronologicalSplit | RecentSplit;

/** What a refit takes: all samples before the test part, or all there are. */
export type RefitPart = 'trainValid' | 'all';

export const PARTS = ['train', 'valid', 'test'] as const;
export type Part = (typeof PARTS)[number];

/** Labelled samples, one an entry, in any order. */
export interface SplitInput {
  /** Window end row of each sample. */
  readonly rows: Int32Array;
  /** ms UTC by row of the whole matrix. */
  readonly openTime: Float64Array;
  /** Open time at which the row's longest label is known, by row of the whole matrix. */
  readonly labelEnd: Float64Array;
  /** Horizons in bars. */
  readonly horizons: readonly number[];
}

export interface SplitRows {
  /** Window end rows, by time, then by row. */
  readonly train: Int32Array;
  readonly valid: Int32Array;
  readonly test: Int32Array;
  /** Decision times per part: what `minimum rows` counts, and less than rows when pooled. */
  readonly times: Readonly<Record<Part, number>>;
  /** Samples dropped because their label reaches into the next part, or by the embargo. */
  readonly dropped: number;
}

/** A part has too few rows after purging; `details.minimumSamples` says how many would do. */
export class TooFewRowsError extends RatchetError {}

/** Fewest decision times a part may have after purging: `max(30, 2 h)`. */
export const minimumRows = (horizons: readonly number[]): number =>
  Math.max(30, 2 * Math.max(...horizons));

/** Purge in bars; one below the longest horizon would let labels overlap and is refused. */
export function purgeBars(split: SplitSpec, horizons: readonly number[]): number {
  const longest = Math.max(...horizons);
  if (split.purge === 'auto') return longest;
  if (split.purge < longest) {
    throw new RatchetError(
      'splits.purgeTooShort',
      `purge ${split.purge} is shorter than the longest horizon ${longest}: training labels would ` +
        'reach into the next part; use "auto"',
      { details: { purge: split.purge, minimum: longest } },
    );
  }
  return split.purge;
}

/** Embargo in bars: dropped from the start of the next part. */
export const embargoBars = (split: SplitSpec): number =>
  split.embargo === 'auto' ? 0 : split.embargo;
