/** Direction metrics: up, down or neutral, with a neutral zone of +-0.5 % around no move. */
import { defineMetric, termOf, type ForecastRows } from './metric.ts';

/** Moves within +-0.5 % of the last close count as neutral, in answers and in reports. */
export const NEUTRAL_ZONE = 0.005;

/** 1 up, -1 down, 0 neutral (the edges belong to the neutral zone), NaN of NaN. */
export function directionOf(change: number): number {
  if (Number.isNaN(change)) return NaN;
  return change > NEUTRAL_ZONE ? 1 : change < -NEUTRAL_ZONE ? -1 : 0;
}

const finite = (value: number): number => (Number.isFinite(value) ? 0 : NaN);

/** Share of rows whose three-way direction was forecast. Range 0..1, higher is better. */
export const directionAccuracy3 = defineMetric({
  name: 'directionAccuracy3',
  title: 'Direction, 3 classes',
  docs: 'Share of rows whose direction (up, down, neutral within +-0.5 %) was forecast. 0..1.',
  direction: 'higher',
  format: 'percent',
  terms: ({ actualChange, predictedChange }) => [
    termOf(
      actualChange.length,
      (i) =>
        (directionOf(actualChange[i]!) === directionOf(predictedChange[i]!) ? 1 : 0) +
        finite(actualChange[i]!) +
        finite(predictedChange[i]!),
    ),
  ],
  value: ([hits = NaN]) => hits,
});

/** Terms of a two-way accuracy on non-neutral rows: hit and counted. */
function twoWayTerms(
  rows: ForecastRows,
  callsUp: (row: number) => boolean,
): readonly Float64Array[] {
  const { actualChange, predictedChange } = rows;
  const counted = termOf(actualChange.length, (i) =>
    directionOf(actualChange[i]!) === 0
      ? 0
      : 1 + finite(actualChange[i]!) + finite(predictedChange[i]!),
  );
  const hit = termOf(actualChange.length, (i) =>
    callsUp(i) === actualChange[i]! > 0 ? counted[i]! : 0,
  );
  return [hit, counted];
}
const shareOf = ([hit = NaN, counted = NaN]: readonly number[]): number =>
  counted > 0 ? hit / counted : NaN;

/**
 * Share of rows outside the neutral zone whose sign was forecast. A forecast of exactly no move counts
 * as "not up". NaN where every move was neutral.
 */
export const directionAccuracy2 = defineMetric({
  name: 'directionAccuracy2',
  title: 'Direction, moved rows',
  docs: 'Share of rows that moved more than 0.5 % whose sign was forecast. 0..1; compare with alwaysUp.',
  direction: 'higher',
  format: 'percent',
  terms: (rows) => twoWayTerms(rows, (i) => rows.predictedChange[i]! > 0),
  value: shareOf,
});

/** What "always up" would have scored on the same non-neutral rows: the forecast is not read. */
export const alwaysUp = defineMetric({
  name: 'alwaysUp',
  title: '"Always up", moved rows',
  docs: 'Share of rows that moved more than 0.5 % which rose: what "always up" would have scored.',
  direction: 'higher',
  format: 'percent',
  terms: (rows) => twoWayTerms(rows, () => true),
  value: shareOf,
});
