/** The moments of a past period at which something would have happened; pure. */
import type { Timeframe } from '../../../core/bars/bars.ts';
import type { Calendar } from '../../../core/calendar/calendar.ts';

/** One session: when its bars closed, and when it was over. Instants are ms UTC. */
export interface ReplaySlot {
  readonly closes: readonly number[];
  readonly end: number;
}

/** Sessions (24x7: days) whose bars all closed within (from, to], in order of time. */
export function replaySlots(
  calendar: Calendar,
  timeframe: Timeframe,
  from: number,
  to: number,
): ReplaySlot[] {
  const slots = new Map<number, number[]>();
  for (const openTime of calendar.between(from, to, timeframe)) {
    const close = calendar.closeTime(openTime, timeframe);
    if (close <= from) continue;
    const session = calendar.openTimeAt(calendar.indexOf(openTime, '1d'), '1d');
    const end = calendar.closeTime(session, '1d');
    if (end > to) continue;
    const closes = slots.get(end);
    if (closes) closes.push(close);
    else slots.set(end, [close]);
  }
  return [...slots].map(([end, closes]) => ({ end, closes }));
}
