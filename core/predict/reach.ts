/** How far back a window reads. */
import { calendarFor } from '../calendar/index.ts';
import { packagedFeatureSetOrThrow } from '../features/index.ts';
import { labelKindOrThrow } from '../labels/index.ts';
import type { PackagedLabel } from '../packages/manifest.ts';
import type { VerifiedPackage } from '../packages/verify.ts';

/** Bars kept beyond those a window needs: where holes stay, a window reaches up to one anchor (256) further. */
const SLACK_BARS = 320;
/** As many may be missing before a second, longer read is needed. */
const HOLES_BARS = 64;

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
