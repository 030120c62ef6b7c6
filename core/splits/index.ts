import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import { chronological } from './chronological.ts';
import { purgedKFold } from './purged-k-fold.ts';
import { recent } from './recent.ts';
import {
  type AutoOr,
  type BoundSplit,
  minimumRows,
  type Part,
  PARTS,
  type RefitPart,
  type SampleShape,
  type SplitInput,
  type SplitKind,
  type SplitRows,
  TooFewRowsError,
} from './split.ts';
import { type DecisionTimes, decisionTimes, type FoldTimes } from './times.ts';
import { walkForward } from './walk-forward.ts';

export * from './split.ts';

/** All split kinds. A new one: a file in this folder and a line here. */
const kinds = [chronological, recent, walkForward, purgedKFold] as const;
export const splitKinds: readonly SplitKind[] = kinds;

/** Settings of a split, by its `kind`. */
export const splitSchema = z.discriminatedUnion('kind', schemasOf(kinds));
export type SplitSpec = z.output<typeof splitSchema>;

type SchemasOf<K extends readonly SplitKind[]> = { [I in keyof K]: K[I]['schema'] };

/** `map` forgets which schema stands where; the tuple says it. */
function schemasOf<const K extends readonly SplitKind[]>(of: K): SchemasOf<K> {
  return of.map((kind) => kind.schema) as unknown as SchemasOf<K>;
}

function kindOf({ kind: name }: Pick<SplitSpec, 'kind'>): SplitKind {
  const found = splitKinds.find((kind) => kind.name === name);
  if (found) return found;
  throw new RatchetError('splits.unknown', `no split is named "${name}"`, { details: { name } });
}

const bind = (split: SplitSpec): BoundSplit => kindOf(split).bind(split);

/** May a retrain part newer bars by the same settings? */
export const retrainsAsItIs = (split: SplitSpec): boolean => kindOf(split).retrainsAsItIs;

/** Decision times left out between what is learnt and what is tested after it. */
export const embargoAhead = (split: SplitSpec): number => bind(split).embargoAhead;

/**
 * First of these decision times (ms UTC, in any order) that is new to whoever knows what came up to `through`: `embargo`
 * of them at least lie between. Infinity: none is.
 */
export function firstNewTime(times: Iterable<number>, through: number, embargo: number): number {
  const later = new Set<number>();
  for (const time of times) if (time > through) later.add(time);
  return Float64Array.from(later).sort()[embargo] ?? Infinity;
}

/** Purge and embargo for a split whose parts follow one another; what else an embargo may say has no meaning there. */
export function bordersOf({ purge, embargo }: SplitSpec): { purge: AutoOr; embargo: AutoOr } {
  return { purge, embargo: embargo === 'strict' ? 'auto' : embargo };
}

/**
 * Train, valid and test rows of labelled samples, by time, one entry a fold, in the order of the test parts. A training
 * (or validation) sample is kept iff its label has ended before the first decision time of every later part, and it is
 * itself decided after all labels of the test part have ended where that lies before it.
 * The lookback is not purged (live windows read old bars too).
 *
 * Throws `TooFewRowsError` (`splits.tooFewRows`) with the computed minimum when a part has fewer than
 * `max(30, 2 h)` decision times, `splits.partTooSmall` and `splits.purgeTooShort`.
 */
export function splitFolds(split: SplitSpec, input: SplitInput): readonly SplitRows[] {
  const times = decisionTimes(input);
  const bound = bind(split);
  return bound.cut(times, input).map((fold) => {
    requireEnough(fold, times, input, bound);
    return rowsOf(fold, times, input);
  });
}

/** The newest fold: the only one there is, or the one whose fit is served. Throws as `splitFolds`. */
export function splitRows(split: SplitSpec, input: SplitInput): SplitRows {
  return splitFolds(split, input).at(-1)!;
}

function requireEnough(
  fold: FoldTimes,
  times: DecisionTimes,
  shape: SampleShape,
  bound: BoundSplit,
): void {
  const minimum = minimumRows(shape);
  const part = PARTS.find((name) => fold[name].length < minimum);
  if (part === undefined) return;
  const rows = fold[part].length;
  const samples = times.time.length;
  const minimumSamples = bound.minimumSamples(shape);
  const missing = Math.max(1, minimumSamples - samples);
  throw new TooFewRowsError(
    'splits.tooFewRows',
    `too few rows: the ${part} part has ${rows} after purging and needs ${minimum}; ` +
      `there are ${samples} labelled samples, at least ${minimumSamples} are needed. ` +
      'Take a longer range (data.from), shorter horizons, a smaller lookback or smaller parts of the split',
    { details: { part, rows, minimum, samples, minimumSamples, missing } },
  );
}

function rowsOf(fold: FoldTimes, times: DecisionTimes, { rows: samples }: SplitInput): SplitRows {
  const rows = (part: Part): Int32Array =>
    Int32Array.from(fold[part].flatMap((at) => [...times.rows[at]!]));
  const train = rows('train');
  const valid = rows('valid');
  const test = rows('test');
  return {
    train,
    valid,
    test,
    times: { train: fold.train.length, valid: fold.valid.length, test: fold.test.length },
    dropped: samples.length - train.length - valid.length - test.length,
  };
}

/**
 * Samples that a refit trains on once the split's parts have served: from the first one on, or the newest `trainBars`
 * decision times where the split rolls. `trainValid` ends before the newest test part and is purged as the validation
 * part is. Window end rows, by time, then by row.
 */
export function refitRows(split: SplitSpec, input: SplitInput, part: RefitPart): Int32Array {
  const times = decisionTimes(input);
  const kept = bind(split).refit(times, input, part);
  return Int32Array.from(kept.flatMap((at) => [...times.rows[at]!]));
}

/** Fewest labelled samples (decision times) with which every part of every fold is large enough. */
export function minimumSamples(split: SplitSpec, shape: SampleShape): number {
  return bind(split).minimumSamples(shape);
}
