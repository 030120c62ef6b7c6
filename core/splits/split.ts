import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import type { DecisionTimes, FoldTimes } from './times.ts';

/** `auto`: purge = the longest horizon; embargo = 0 where no training row lies after a test row. */
export type AutoOr = number | 'auto';

export const purgeSchema = z
  .union([z.literal('auto'), z.int().min(0).max(1000)])
  .default('auto')
  .describe('Rows left out before the next part; auto: the longest horizon.');
export const embargoSchema = z
  .union([z.literal('auto'), z.int().min(0).max(1000)])
  .default('auto')
  .describe('Further rows left out; auto: 0, since no training row lies after a test row.');

/** What a refit takes: all samples before the newest test part, or all there are. */
export type RefitPart = 'trainValid' | 'all';

export const PARTS = ['train', 'valid', 'test'] as const;
export type Part = (typeof PARTS)[number];

/** What a sample is, as far as it decides how far parts must lie apart. */
export interface SampleShape {
  /** Horizons in bars. */
  readonly horizons: readonly number[];
  /** Rows up to and including the window's last that can move a feature of it. */
  readonly reachBars: number;
}

/** Labelled samples, one an entry, in any order. */
export interface SplitInput extends SampleShape {
  /** Window end row of each sample. */
  readonly rows: Int32Array;
  /** ms UTC by row of the whole matrix. */
  readonly openTime: Float64Array;
  /** Open time at which the row's longest label is known, by row of the whole matrix. */
  readonly labelEnd: Float64Array;
}

/** One fold: what a fit learns from, chooses by and is judged on. */
export interface SplitRows {
  /** Window end rows, by time, then by row. */
  readonly train: Int32Array;
  readonly valid: Int32Array;
  readonly test: Int32Array;
  /** Decision times per part: what `minimum rows` counts, and less than rows when pooled. */
  readonly times: Readonly<Record<Part, number>>;
  /** Samples in no part: a label reaches into another part, an embargo, or older or newer than the fold. */
  readonly dropped: number;
}

/** A split kind, bound to its settings. */
export interface BoundSplit {
  /** Decision times left out between what is learnt and a test part that lies after it, beside the purge. */
  readonly embargoAhead: number;
  /** Folds in the order of their test parts; no decision time is tested twice. The newest is what is served. */
  cut(times: DecisionTimes, shape: SampleShape): readonly FoldTimes[];
  /** Positions in time order. */
  refit(times: DecisionTimes, shape: SampleShape, part: RefitPart): readonly number[];
  /** Fewest decision times, without holes, with which every part of every fold is large enough. */
  minimumSamples(shape: SampleShape): number;
}

/** A way of parting labelled samples. `schema` has the literal `kind` among its fields. */
export interface SplitKind<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly docs: string;
  readonly schema: S;
  /** A retrain may use it: one fold, its parts counted back from the newest sample. Others retrain by `recent`. */
  readonly retrainsAsItIs: boolean;
  bind(settings: z.output<S>): BoundSplit;
}

export function defineSplit<S extends z.ZodObject>(kind: SplitKind<S>): SplitKind<S> {
  return Object.freeze(kind);
}

/** A part has too few rows after purging; `details.minimumSamples` says how many would do. */
export class TooFewRowsError extends RatchetError {}

/** Fewest decision times a part may have after purging: `max(30, 2 h)`. */
export const minimumRows = ({ horizons }: Pick<SampleShape, 'horizons'>): number =>
  Math.max(30, 2 * Math.max(...horizons));

/** Purge in bars; one below the longest horizon would let labels overlap and is refused. */
export function purgeBars(
  { purge }: { readonly purge: AutoOr },
  { horizons }: Pick<SampleShape, 'horizons'>,
): number {
  const longest = Math.max(...horizons);
  if (purge === 'auto') return longest;
  if (purge < longest) {
    throw new RatchetError(
      'splits.purgeTooShort',
      `purge ${purge} is shorter than the longest horizon ${longest}: training labels would ` +
        'reach into the next part; use "auto"',
      { details: { purge, minimum: longest } },
    );
  }
  return purge;
}

/** Embargo in bars of parts that follow one another: dropped from the start of the next part. */
export const embargoBars = ({ embargo }: { readonly embargo: AutoOr }): number =>
  embargo === 'auto' ? 0 : embargo;

/** More history would not help a part that is declared too small. */
export function requireLargeParts(
  sizes: Readonly<Record<string, number>>,
  shape: Pick<SampleShape, 'horizons'>,
): void {
  const minimum = minimumRows(shape);
  for (const [key, bars] of Object.entries(sizes)) {
    if (bars >= minimum) continue;
    throw new RatchetError(
      'splits.partTooSmall',
      `${key} ${bars} is below ${minimum}, the least for horizons up to ${Math.max(...shape.horizons)}`,
      { details: { key, bars, minimum } },
    );
  }
}
