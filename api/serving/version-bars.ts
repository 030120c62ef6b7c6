import { calendarFor } from '../../core/calendar/index.ts';
import { packagedFeatureSetOrThrow } from '../../core/features/index.ts';
import { labelKindOrThrow } from '../../core/labels/index.ts';
import type { PackagedLabel } from '../../core/packages/manifest.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import { PredictError } from '../../core/predict/index.ts';
import { ApiError } from '../errors.ts';
import type { Series } from './bars-store.ts';
import type { Slot } from './package-slots.ts';

/** Bars kept beyond those a window needs: where holes stay, a window reaches up to one anchor (256) further. */
const SLACK_BARS = 320;
/** As many may be missing before a second, longer read is needed. */
const HOLES_BARS = 64;

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

/** How many of the newest bars a window needs at most at `now` (ms UTC). */
export function wantedBars(pkg: VerifiedPackage, now: number): number {
  const { lookback, calendar, timeframe, label } = pkg.preprocessing;
  const set = packagedFeatureSetOrThrow(pkg.manifest);
  const ofFeatures = set.barsNeeded(now, lookback, calendarFor(calendar), timeframe);
  return Math.max(ofFeatures, thresholdBars(label)) + SLACK_BARS;
}

/** Closes that a label with classes looks at to say which move counts; 0 of a quantity. */
function thresholdBars({ kind: name, params = {} }: PackagedLabel): number {
  const kind = labelKindOrThrow(name);
  return kind.task === 'classification' ? kind.thresholdBars(params) : 0;
}

/** The bars for a window as of `asOf` (ms UTC): how many, and from where the calendar expects them. */
export function pastRange(
  pkg: VerifiedPackage,
  asOf: number,
): { readonly last: number; readonly before: number; readonly since: number } {
  const { calendar: name, timeframe } = pkg.preprocessing;
  const calendar = calendarFor(name);
  const last = wantedBars(pkg, asOf);
  const first = calendar.indexOf(asOf, timeframe) - last - HOLES_BARS;
  return { last, before: asOf, since: calendar.openTimeAt(Math.max(0, first), timeframe) };
}

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
