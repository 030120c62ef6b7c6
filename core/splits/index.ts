import { chronological } from './chronological.ts';
import { recent } from './recent.ts';
import {
  minimumRows,
  type Part,
  PARTS,
  type RefitPart,
  type SplitInput,
  type SplitRows,
  type SplitSpec,
  TooFewRowsError,
} from './split.ts';
import { decisionTimes, type PartTimes } from './times.ts';

export * from './split.ts';

/** A split kind, bound to its settings. */
interface BoundSplit {
  cut(times: ReturnType<typeof decisionTimes>, horizons: readonly number[]): PartTimes;
  refit(
    times: ReturnType<typeof decisionTimes>,
    horizons: readonly number[],
    part: RefitPart,
  ): readonly number[];
  minimumSamples(horizons: readonly number[]): number;
}

function bind(split: SplitSpec): BoundSplit {
  return split.kind === 'chronological' ? chronological(split) : recent(split);
}

/**
 * Train, valid and test rows of labelled samples, by time. A training (or validation) sample is kept
 * iff its label end lies before the first decision time of the next part, so no label window of one
 * part meets one of another; the lookback is not purged (live windows read old bars too).
 *
 * Throws `TooFewRowsError` (`splits.tooFewRows`) with the computed minimum when a part has fewer than
 * `max(30, 2 h)` decision times, and `splits.purgeTooShort`.
 */
export function splitRows(split: SplitSpec, input: SplitInput): SplitRows {
  const times = decisionTimes(input);
  const bound = bind(split);
  const parts = bound.cut(times, input.horizons);
  const minimum = minimumRows(input.horizons);
  for (const part of PARTS) {
    if (parts[part].length >= minimum) continue;
    const minimumSamples = bound.minimumSamples(input.horizons);
    const missing = Math.max(1, minimumSamples - times.time.length);
    throw new TooFewRowsError(
      'splits.tooFewRows',
      `too few rows: the ${part} part has ${parts[part].length} after purging and needs ${minimum}; ` +
        `there are ${times.time.length} labelled samples, at least ${minimumSamples} are needed. ` +
        'Take a longer range (data.from), shorter horizons or a smaller lookback',
      {
        details: {
          part,
          rows: parts[part].length,
          minimum,
          samples: times.time.length,
          minimumSamples,
          missing,
        },
      },
    );
  }
  const rows = (part: Part): Int32Array =>
    Int32Array.from(parts[part].flatMap((at) => [...times.rows[at]!]));
  const train = rows('train');
  const valid = rows('valid');
  const test = rows('test');
  return {
    train,
    valid,
    test,
    times: {
      train: parts.train.length,
      valid: parts.valid.length,
      test: parts.test.length,
    },
    dropped: input.rows.length - train.length - valid.length - test.length,
  };
}

/**
 * Samples that a refit trains on once the split's parts have served: from the first one on where the split is
 * chronological, the newest `trainBars` decision times where it is recent. `trainValid` ends before the test part and is
 * purged as the validation part is. Window end rows, by time, then by row.
 */
export function refitRows(split: SplitSpec, input: SplitInput, part: RefitPart): Int32Array {
  const times = decisionTimes(input);
  const kept = bind(split).refit(times, input.horizons, part);
  return Int32Array.from(kept.flatMap((at) => [...times.rows[at]!]));
}

/** Fewest labelled samples (decision times) with which every part of the split is large enough. */
export function minimumSamples(split: SplitSpec, horizons: readonly number[]): number {
  return bind(split).minimumSamples(horizons);
}
