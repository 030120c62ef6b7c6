import { calendarFor } from '../../core/calendar/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import { PredictError } from '../../core/predict/index.ts';
import { ApiError } from '../errors.ts';
import type { Series } from './bars-store.ts';
import type { Slot } from './package-slots.ts';

const kinds = new WeakMap<VerifiedPackage, string>();

/** All that a window depends on besides bars and instant: versions that agree in it share the window. */
export function windowKind(pkg: VerifiedPackage): string {
  const known = kinds.get(pkg) ?? kindOf(pkg);
  kinds.set(pkg, known);
  return known;
}

function kindOf({ manifest, preprocessing }: VerifiedPackage): string {
  const { lookback, missing, missingBy, missingHead, calendar, timeframe } = preprocessing;
  const policies = JSON.stringify([missing, missingBy, missingHead]);
  const window = `${manifest.featureHash}|${lookback}|${policies}|${calendar}|${timeframe}`;
  // Of labels with classes a window says too from which move on a class counts.
  return preprocessing.classes ? `${window}|${JSON.stringify(preprocessing.label)}` : window;
}

const series = new WeakMap<Slot, Map<string, Series>>();

/** The bars of an instrument of an open package, as its version reads them. */
export function seriesOf(slot: Slot, instrument: string): Series {
  const known = series.get(slot) ?? new Map<string, Series>();
  series.set(slot, known);
  let one = known.get(instrument);
  if (!one) {
    const { timeframe } = slot.opened.verified.preprocessing;
    one = { instrument, timeframe, sources: slot.version.sources };
    known.set(instrument, one);
  }
  return one;
}

/** The last answer of `nextClose`, and from when on it is one. */
const closes = new WeakMap<VerifiedPackage, { readonly from: number; readonly until: number }>();

/** When the calendar's next bar closes after `now`: from then on an answer may differ. */
export function nextClose(pkg: VerifiedPackage, now: number): number {
  const known = closes.get(pkg);
  if (known && now >= known.from && now < known.until) return known.until;
  const until = closeAfter(pkg, now);
  closes.set(pkg, { from: now, until });
  return until;
}

function closeAfter(pkg: VerifiedPackage, now: number): number {
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
