import { CLOSE_GRACE_MS, type Timeframe } from '../bars/index.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { isoDate, isoTime } from '../calendar/day.ts';

export const FOLD_EVERY = ['month', 'quarter', 'year'] as const;
/** When a walk forward trains anew: from the first session of each, in UTC. */
export type FoldEvery = (typeof FOLD_EVERY)[number];

/** A stretch of a period that one model decides in, and what that model was trained by. */
export interface BacktestFold {
  /** Open times of the first and last bar that is decided on, ms UTC. */
  readonly from: number;
  readonly to: number;
  /** Last day whose bars are trained on, and by when they were known (ISO): before the close of the first bar. */
  readonly trainTo: string;
  readonly asOf: string;
}

const DAY_MS = 86_400_000;

/** The folds of a period (ms UTC, both included), in order of time; empty where no session lies in it. */
export function backtestFolds(
  calendar: Calendar,
  timeframe: Timeframe,
  { from, to }: { readonly from: number; readonly to: number },
  every: FoldEvery,
): readonly BacktestFold[] {
  const folds: { key: string; from: number; to: number }[] = [];
  for (const open of calendar.between(from, to, timeframe)) {
    const key = keyOf(open, every);
    const last = folds.at(-1);
    if (last?.key === key) last.to = open;
    else folds.push({ key, from: open, to: open });
  }
  return folds.map((fold) => ({
    from: fold.from,
    to: fold.to,
    trainTo: isoDate(fold.from - DAY_MS),
    asOf: isoTime(fold.from + CLOSE_GRACE_MS[timeframe]),
  }));
}

function keyOf(time: number, every: FoldEvery): string {
  const date = new Date(time);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  if (every === 'year') return String(year);
  return every === 'quarter' ? `${year}q${Math.floor(month / 3)}` : `${year}-${month}`;
}
