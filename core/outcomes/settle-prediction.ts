import type { Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { ClassAnswer, Direction } from '../predict/answer.ts';
import type { Closes } from './closes.ts';
import {
  outcomeOf,
  type HorizonForecast,
  type HorizonOutcome,
  type OutcomeScale,
} from './outcome.ts';

/**
 * How long after its close a bar is waited for, in market time. A bar that is not there by then although later
 * ones are (an hour in which nobody traded, a day the exchange closed unplanned) gives no outcome for ever.
 */
export const UNKNOWN_AFTER_MS = 30 * 86_400_000;

/**
 * A slot collects the newest bars itself, and they arrive moments after its time: what closed by the slot's time and was
 * known this much later counts as known at the slot. Otherwise each bar would be settled a slot late.
 */
export const SLOT_MS = 15 * 60_000;

/** What settling reads of an answer. */
export interface SettledAnswer {
  /** ISO, open time of the window's last bar. */
  readonly asOf: string;
  readonly lastClose: number;
  /** The answer advised against itself: nobody takes a position on it. */
  readonly abstain?: boolean | undefined;
  readonly horizons: readonly {
    readonly horizon: number;
    /** Session of the bar the forecast is for, or its instant. */
    readonly targetDate: string;
    readonly change: number;
    readonly direction: Direction;
    readonly interval80: readonly [number, number] | null;
    /** Of a model of classes. */
    readonly classes?: ClassAnswer | undefined;
  }[];
}

export interface SettleContext {
  /** Market time, ms UTC: bars that are complete and known by then. */
  readonly asOf: number;
  readonly calendar: Pick<Calendar, 'closeTime'>;
  readonly timeframe: Timeframe;
  readonly scaleOf: (horizon: number) => OutcomeScale;
  /** Horizons that have an outcome already. */
  readonly done: ReadonlySet<number>;
}

export interface SettledPrediction {
  readonly outcomes: readonly HorizonOutcome[];
  /** Horizons without an outcome for ever. */
  readonly unknown: number;
  /** Market time at which the next horizon may have one; null: nothing is left. */
  readonly settleAfter: number | null;
}

const POSITIONS: Readonly<Record<Direction, number>> = { up: 1, neutral: 0, down: -1 };

/** The forecasts of an answer. Prices become fractions of its own last close, whatever scale that is on. */
export function forecastsOf(answer: SettledAnswer): HorizonForecast[] {
  const asOf = Date.parse(answer.asOf);
  const changeOf = (price: number): number => price / answer.lastClose - 1;
  return answer.horizons.map(({ horizon, targetDate, change, direction, interval80, classes }) => ({
    horizon,
    asOf,
    targetTime: Date.parse(targetDate),
    change,
    interval: interval80 && [changeOf(interval80[0]), changeOf(interval80[1])],
    position: answer.abstain === true ? 0 : POSITIONS[direction],
    classes,
  }));
}

/**
 * Settles the horizons of one answer whose bars are there. `closes` holds what was known at `ctx.asOf` (see `SLOT_MS`), nothing later.
 * A target bar that has not closed, or is not there yet, is waited for; see `UNKNOWN_AFTER_MS`.
 */
export function settlePrediction(
  answer: SettledAnswer,
  closes: Closes,
  ctx: SettleContext,
): SettledPrediction {
  const outcomes: HorizonOutcome[] = [];
  const waits: number[] = [];
  let unknown = 0;
  for (const forecast of forecastsOf(answer)) {
    if (ctx.done.has(forecast.horizon)) continue;
    const closesAt = ctx.calendar.closeTime(forecast.targetTime, ctx.timeframe);
    const due = closesAt <= ctx.asOf;
    const outcome = due ? outcomeOf(forecast, closes, ctx.scaleOf(forecast.horizon)) : undefined;
    if (outcome) outcomes.push(outcome);
    else if (due && isGivenUp(closesAt, forecast.targetTime, closes, ctx.asOf)) unknown++;
    else waits.push(closesAt);
  }
  return { outcomes, unknown, settleAfter: waits.length === 0 ? null : Math.min(...waits) };
}

/** Waited for long enough, while the source went on: a source that stands still may still bring it. */
function isGivenUp(closesAt: number, targetTime: number, closes: Closes, asOf: number): boolean {
  const newest = closes.openTime.at(-1);
  return asOf >= closesAt + UNKNOWN_AFTER_MS && newest !== undefined && newest > targetTime;
}
