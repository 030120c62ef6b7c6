import type { Sessions } from './sessions.ts';
import { BAR_COLUMNS, barCount, TIMEFRAME_MS, type Bars, type Timeframe } from './bars.ts';
import { lowerBound } from './build.ts';
import { CLOSE_GRACE_MS } from './provisional.ts';

/** The newest stored revision of a source's bars, aligned by row. */
export interface StoredBars {
  readonly bars: Bars;
  readonly revision: Int32Array;
}

export interface NewRevisions {
  /** Positions in the incoming bars that are new or changed. */
  readonly positions: Int32Array;
  /** Revision each of them gets: 0 for a bar never seen. */
  readonly revision: Int32Array;
  /** How many of them change a stored bar. */
  readonly changed: number;
}

/** What must be appended: bars not stored yet, and bars of which any value differs. Never a deletion. */
export function newRevisions(stored: StoredBars, incoming: Bars): NewRevisions {
  const positions: number[] = [];
  const revision: number[] = [];
  let changed = 0;
  for (let i = 0; i < barCount(incoming); i++) {
    const at = lowerBound(stored.bars.openTime, incoming.openTime[i]!);
    const known = stored.bars.openTime[at] === incoming.openTime[i];
    if (known && sameBar(stored.bars, at, incoming, i)) continue;
    positions.push(i);
    revision.push(known ? stored.revision[at]! + 1 : 0);
    if (known) changed++;
  }
  return { positions: Int32Array.from(positions), revision: Int32Array.from(revision), changed };
}

const sameBar = (a: Bars, i: number, b: Bars, j: number): boolean =>
  BAR_COLUMNS.every((column) => Object.is(a[column][i], b[column][j]));

/**
 * When a bar counts as known, for point-in-time reads. Live (it arrived within a bar of its
 * publication): the arrival. A backfill, first revision: close + grace + the source's declared delay,
 * marked assumed. A correction of a stored bar is known from its arrival: until then everyone saw the
 * old value.
 */
export function knownAt(
  openTime: number,
  arrivedAt: number,
  revision: number,
  rules: {
    readonly timeframe: Timeframe;
    readonly calendar: Sessions;
    readonly declaredDelayMs: number;
  },
): { readonly at: number; readonly assumed: boolean } {
  const published =
    rules.calendar.closeTime(openTime, rules.timeframe) +
    CLOSE_GRACE_MS[rules.timeframe] +
    rules.declaredDelayMs;
  const live = arrivedAt <= published + TIMEFRAME_MS[rules.timeframe];
  return revision > 0 || live
    ? { at: arrivedAt, assumed: false }
    : { at: published, assumed: true };
}
