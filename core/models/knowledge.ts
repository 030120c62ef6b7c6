import { calendarFor } from '../calendar/index.ts';
import type { Prepared } from '../features/prepared.ts';

/** Up to when a fit knows what came, its ancestors' knowledge included; ms UTC. */
export interface Knowledge {
  /** End of the newest label that its weights were fitted on. */
  readonly fittedThrough: number;
  /** End of the newest label that was used for anything, such as the choice of an epoch. */
  readonly knownThrough: number;
}

/** What a fit on this data knows once it went on from `parent`. */
export function knowledgeOf(prepared: Prepared, parent: Knowledge | undefined): Knowledge {
  const { split, openTime, calendar, timeframe, horizons, trainedThrough } = prepared;
  const newest = split.train.reduce((last, row) => Math.max(last, openTime[row]!), -Infinity);
  const end = calendarFor(calendar).addBars(newest, Math.max(...horizons), timeframe);
  return {
    fittedThrough: Math.max(end, parent?.fittedThrough ?? -Infinity),
    knownThrough: Math.max(trainedThrough, parent?.knownThrough ?? -Infinity),
  };
}
