import { adjustBars, type FactorRow } from '../bars/adjust.ts';
import { barCount, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import { rankSources, type SourceRole } from '../bars/merge.ts';

/** Closes of one source: the newest revisions known, raw, with the factors known. */
export interface SourceCloses {
  readonly role: SourceRole;
  readonly bars: Bars;
  /** ms UTC by row. */
  readonly knownAt: Float64Array;
  readonly factors: readonly FactorRow[];
}

/** One series of closes by time, ascending, columns of the same length. */
export interface Closes {
  readonly openTime: Float64Array;
  /** As the source gave it. */
  readonly raw: Float64Array;
  /** As of the source's last bar: the ratio of two of them has no split or dividend in it. */
  readonly adjusted: Float64Array;
  /** ms UTC. */
  readonly knownAt: Float64Array;
}

interface Close {
  readonly raw: number;
  readonly adjusted: number;
  readonly knownAt: number;
}

/**
 * The closes that training and serving would read, by the same order of the sources: primaries first, then
 * fallbacks (a substitute only where none of them has any), the first one that has a bar gives it; each adjusted as of
 * its own last bar. Exogenous sources give no bar.
 */
export function mergeCloses(sources: readonly SourceCloses[]): Closes {
  const merged = new Map<number, Close>();
  for (const source of rankSources(sources)) addCloses(merged, source);
  const openTime = Float64Array.from(merged.keys()).sort();
  const column = (of: (close: Close) => number): Float64Array =>
    openTime.map((time) => of(merged.get(time)!));
  return {
    openTime,
    raw: column(({ raw }) => raw),
    adjusted: column(({ adjusted }) => adjusted),
    knownAt: column(({ knownAt }) => knownAt),
  };
}

function addCloses(merged: Map<number, Close>, { bars, factors, knownAt }: SourceCloses): void {
  const last = bars.openTime.at(-1);
  if (last === undefined) return;
  const adjusted = adjustBars(bars, factors, last).close;
  for (let i = 0; i < barCount(bars); i++) {
    const time = bars.openTime[i]!;
    if (merged.has(time)) continue;
    merged.set(time, { raw: bars.close[i]!, adjusted: adjusted[i]!, knownAt: knownAt[i]! });
  }
}

/** Row of the bar that opens at `time`; undefined where there is none. */
export function closeAt(closes: Closes, time: number): number | undefined {
  const row = lowerBound(closes.openTime, time);
  return closes.openTime[row] === time ? row : undefined;
}
