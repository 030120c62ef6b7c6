import { z } from 'zod';
import type { Timeframe } from '../../bars/bars.ts';
import type { Calendar } from '../../calendar/calendar.ts';

const DAY_MS = 86_400_000;
/** 1970-01-01 was a Thursday: weeks begin on Monday. */
const MONDAY_OFFSET = 3;

/** `rebalance` of a portfolio. */
export const rebalanceSchema = z.union([
  z.enum(['week', 'month']),
  z.strictObject({
    bars: z.int().min(1).max(2500).describe('Bars of the calendar, which all instruments share.'),
  }),
]);
export type Rebalance = z.output<typeof rebalanceSchema>;

/**
 * Number of the period that a bar lies in (UTC): weights are decided anew at the first bar of each. Counted in the
 * calendar, not from the first bar given, so that it is the same whatever history is loaded.
 */
export function periodOf(
  openTime: number,
  rebalance: Rebalance,
  calendar: Calendar,
  timeframe: Timeframe,
): number {
  if (typeof rebalance === 'object') {
    return Math.floor(calendar.indexOf(openTime, timeframe) / rebalance.bars);
  }
  if (rebalance === 'week') return Math.floor((openTime / DAY_MS + MONDAY_OFFSET) / 7);
  const date = new Date(openTime);
  return 12 * date.getUTCFullYear() + date.getUTCMonth();
}
