import type { Timeframe } from '../bars/bars.ts';
import { calendarFor } from '../calendar/index.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import { windowDissimilarity } from './safety.ts';
import type { PredictionWindow } from './window.ts';

/** What an answer says that follows from package and window, whatever the model computes. */
export interface WindowFacts {
  /** ISO. */
  readonly asOf: string;
  /** Which bar each horizon is about. */
  readonly targetDates: readonly string[];
  readonly dissimilarity: number | null;
}

export function windowFacts(pkg: VerifiedPackage, window: PredictionWindow): WindowFacts {
  const { label, calendar: name, timeframe } = pkg.preprocessing;
  const calendar = calendarFor(name);
  return {
    asOf: new Date(window.asOf).toISOString(),
    targetDates: label.horizons.map((horizon) =>
      barName(calendar.addBars(window.asOf, horizon, timeframe), timeframe),
    ),
    dissimilarity: windowDissimilarity(pkg, window),
  };
}

/** Daily bars are named by their session's date, others by the instant they open. */
function barName(openTime: number, timeframe: Timeframe): string {
  const iso = new Date(openTime).toISOString();
  return timeframe === '1d' ? iso.slice(0, 10) : iso;
}
