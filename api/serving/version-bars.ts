import { calendarFor } from '../../core/calendar/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import { PredictError } from '../../core/predict/index.ts';
import { ApiError } from '../errors.ts';
import type { Series } from './bars-store.ts';
import type { Slot } from './package-slots.ts';

/** All that a window depends on besides bars and instant: versions that agree in it share the window. */
export function windowKind({ manifest, preprocessing }: VerifiedPackage): string {
  const { lookback, missing, missingBy, missingHead, calendar, timeframe } = preprocessing;
  const policies = JSON.stringify([missing, missingBy, missingHead]);
  const window = `${manifest.featureHash}|${lookback}|${policies}|${calendar}|${timeframe}`;
  // Of labels with classes a window says too from which move on a class counts.
  return preprocessing.classes ? `${window}|${JSON.stringify(preprocessing.label)}` : window;
}

/** The bars of an instrument as the version of an open package reads them. */
export const seriesOf = (slot: Slot, instrument: string): Series => ({
  instrument,
  timeframe: slot.opened.verified.preprocessing.timeframe,
  sources: slot.version.sources,
});

/** When the calendar's next bar closes after `now`: from then on an answer may differ. */
export function nextClose(pkg: VerifiedPackage, now: number): number {
  const { calendar: name, timeframe } = pkg.preprocessing;
  const calendar = calendarFor(name);
  for (let index = calendar.indexOf(now, timeframe); ; index++) {
    const close = calendar.closeTime(calendar.openTimeAt(index, timeframe), timeframe);
    if (close > now) return close;
  }
}

/** No bars in memory, none on disk, and no registry to ask: that is our trouble, not the caller's. */
export async function barsOrProblem<T>(bars: Promise<T>): Promise<T> {
  try {
    return await bars;
  } catch (cause) {
    if (cause instanceof PredictError) throw cause;
    throw new ApiError(
      'unavailable',
      'bars.unavailable',
      'The bars for this answer are not on this replica and the database does not answer.',
      { retryAfterS: 5, cause },
    );
  }
}
