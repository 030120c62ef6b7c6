import type { Sessions } from './sessions.ts';
import { barCount, sliceBars, type Bars, type Timeframe } from './bars.ts';

/** How long after its close a bar may still be corrected by its source. */
export const CLOSE_GRACE_MS: Readonly<Record<Timeframe, number>> = {
  '1h': 60_000,
  '1d': 30 * 60_000,
};

export interface ProvisionalSplit {
  readonly bars: Bars;
  /** Bars at the end that had not closed when they arrived. */
  readonly dropped: number;
}

/** Bars without those at the end that had not closed at `asOf` (ms UTC). */
export function barsCompleteBy(bars: Bars, calendar: Sessions, asOf: number): Bars {
  let end = barCount(bars);
  while (end > 0 && calendar.closeTime(bars.openTime[end - 1]!, bars.timeframe) > asOf) end--;
  return end === barCount(bars) ? bars : sliceBars(bars, 0, end);
}

/** Bars without those at the end that were not complete (close + grace) when they arrived (ms UTC). */
export function dropProvisional(
  bars: Bars,
  calendar: Sessions,
  arrivedAt: number,
): ProvisionalSplit {
  let end = barCount(bars);
  const grace = CLOSE_GRACE_MS[bars.timeframe];
  while (
    end > 0 &&
    arrivedAt < calendar.closeTime(bars.openTime[end - 1]!, bars.timeframe) + grace
  ) {
    end--;
  }
  const dropped = barCount(bars) - end;
  return { bars: dropped === 0 ? bars : sliceBars(bars, 0, end), dropped };
}
