import { calendarFor } from '../calendar/index.ts';
import type { Prepared } from '../features/prepared.ts';

/** Up to when a fit knows what came, its ancestors' knowledge included; ms UTC. */
export interface Knowledge {
  /** End of the newest label that its weights were fitted on. */
  readonly fittedThrough: number;
  /** End of the newest label that was used for anything, such as the choice of an epoch. */
  readonly knownThrough: number;
}

/** Knowledge of a version that was trained through then (ms UTC), from its bundle's. */
export function knowledgeOfVersion(
  trainedThrough: number,
  knowledge: Knowledge | undefined,
): Knowledge {
  const knownThrough = Math.max(trainedThrough, knowledge?.knownThrough ?? -Infinity);
  // A bundle of an earlier release does not say where its training part ended: all that it knew counts as fitted.
  return { fittedThrough: knowledge?.fittedThrough ?? knownThrough, knownThrough };
}

/** A part of a split whose labels somebody has learnt already; ms UTC. */
export interface SeenPart {
  readonly part: 'test' | 'validation';
  /** End of what was learnt. */
  readonly through: number;
  /** First bar of the part. */
  readonly begins: number;
}

/**
 * The part of the data that is not new to whoever knows this, if there is one: labels of the test part must not have been
 * used for anything, those of the validation part, which chooses and calibrates, must not have been fitted on.
 */
export function seenPart(
  { fittedThrough, knownThrough }: Knowledge,
  { split, openTime }: Pick<Prepared, 'split' | 'openTime'>,
): SeenPart | undefined {
  const parts = [
    { part: 'test', rows: split.test, through: knownThrough },
    { part: 'validation', rows: split.valid, through: fittedThrough },
  ] as const;
  for (const { part, rows, through } of parts) {
    const [first] = rows;
    if (first !== undefined && through >= openTime[first]!) {
      return { part, through, begins: openTime[first]! };
    }
  }
  return undefined;
}

/** What a fit on this data knows once others, a parent or members, are part of it. */
export function knowledgeOf(
  prepared: Prepared,
  ...others: readonly (Knowledge | undefined)[]
): Knowledge {
  const { split, openTime, calendar, timeframe, horizons, trainedThrough } = prepared;
  const newest = split.train.reduce((last, row) => Math.max(last, openTime[row]!), -Infinity);
  const end = calendarFor(calendar).addBars(newest, Math.max(...horizons), timeframe);
  const newestOf = (of: (known: Knowledge) => number): number =>
    Math.max(...others.map((known) => (known ? of(known) : -Infinity)));
  return {
    fittedThrough: Math.max(
      end,
      newestOf((known) => known.fittedThrough),
    ),
    knownThrough: Math.max(
      trainedThrough,
      newestOf((known) => known.knownThrough),
    ),
  };
}
