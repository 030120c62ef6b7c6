import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { drawdown } from '../indicators/drawdown.ts';
import { indicatorInput, type IndicatorInput, use } from '../indicators/index.ts';
import { logReturn } from '../indicators/returns.ts';
import { volatility } from '../indicators/volatility.ts';
import type { Recommended } from './recommendation.ts';

const HIGH_BARS = 24;
const COLUMNS = {
  change: use(logReturn, { bars: 1 }),
  volatility: use(volatility, { period: 20 }),
  drawdown: use(drawdown, { period: HIGH_BARS }),
} as const;

/** Leading bars without an emergency score: the 24-bar high, and 20 returns before the last one. */
export const EMERGENCY_WARMUP_BARS = Math.max(
  COLUMNS.volatility.warmupBars + 1,
  COLUMNS.drawdown.warmupBars,
);

/** From this score on a position is closed, at the next open. */
export const EMERGENCY_STOP = 0.8;

/** One value a bar, each 0..1; NaN while warming up. */
export interface EmergencyColumns {
  /** The largest of the three parts. */
  readonly score: Float64Array;
  /** A: the last bar fell by more SDs than a bar does. */
  readonly shock: Float64Array;
  /** D: how far below its 24-bar high the close lies. */
  readonly drawdown: Float64Array;
  /** P: how much more probable the model holds a fall; 0 without an answer. */
  readonly probability: Float64Array;
}

/** The same of one bar, as answers carry it. */
export type EmergencyScore = Readonly<Record<keyof EmergencyColumns, number>>;

/** Within 0..1; NaN stays. */
const clamp = (value: number): number => Math.min(1, Math.max(0, value));

/** SDs that a fall of `size` (>= 0) is; nothing fell: 0, whatever the SD. */
const sdsOf = (size: number, sd: number): number => (size <= 0 ? 0 : size / sd);

/**
 * How urgent it is to leave a long position, by bar (STATISTICS 5): max(A, D, P).
 * Formula: s = SD (ddof 1) of 20 log returns up to the bar *before*, r = the bar's log return,
 * A = clamp((-r / s - 3) / 5);
 * D = clamp((ln(highest close of 24 bars / c) / (s sqrt(24)) - 2) / 3);
 * P = clamp((p(sell) - p(buy) - .3) / .5).
 * `score`: p(buy) - p(sell) by bar, in -1..1 (`twoSidedScore` makes one of an answer), NaN where there is none; absent: P = 0.
 * Edge: prices that stood still and then fall are an emergency (1).
 */
export function emergencyColumns(
  bars: Bars,
  calendar: Calendar,
  score?: Float64Array,
): EmergencyColumns {
  return emergencyOf(indicatorInput(bars, calendar), score);
}

function emergencyOf(input: IndicatorInput, score: Float64Array | undefined): EmergencyColumns {
  const change = input.column(COLUMNS.change);
  const sd = input.column(COLUMNS.volatility);
  const below = input.column(COLUMNS.drawdown);
  const column = (): Float64Array => new Float64Array(input.rows).fill(NaN);
  const out = { score: column(), shock: column(), drawdown: column(), probability: column() };
  for (let t = EMERGENCY_WARMUP_BARS; t < input.rows; t++) {
    const before = sd[t - 1]!;
    const shock = clamp((sdsOf(-change[t]!, before) - 3) / 5);
    const depth = clamp((sdsOf(-below[t]!, before * Math.sqrt(HIGH_BARS)) - 2) / 3);
    const said = score?.[t] ?? NaN;
    const probability = Number.isNaN(said) ? 0 : clamp((-said - 0.3) / 0.5);
    out.shock[t] = shock;
    out.drawdown[t] = depth;
    out.probability[t] = probability;
    out.score[t] = Math.max(shock, depth, probability);
  }
  return out;
}

/**
 * The emergency score at the last bar, with what a model recommends of its shortest horizon; undefined with fewer than
 * `EMERGENCY_WARMUP_BARS + 1` bars, or where the bars miss a price.
 */
export function emergencyScore(
  bars: Bars,
  calendar: Calendar,
  recommended?: Recommended,
): EmergencyScore | undefined {
  // Nothing older counts: windows give the same bits whatever history they are cut from.
  const last = sliceBars(bars, Math.max(0, barCount(bars) - EMERGENCY_WARMUP_BARS - 1));
  const rows = barCount(last);
  const said = new Float64Array(rows).fill(twoSidedScore(recommended));
  const columns = emergencyColumns(last, calendar, said);
  const at = (column: Float64Array): number => column[rows - 1] ?? NaN;
  const found = {
    score: at(columns.score),
    shock: at(columns.shock),
    drawdown: at(columns.drawdown),
    probability: at(columns.probability),
  };
  return Number.isFinite(found.score) ? found : undefined;
}

/** p(buy) - p(sell) of a recommendation; NaN of a label that knows no sell: less likely to rise is no fall. */
export const twoSidedScore = (recommended: Recommended | undefined): number =>
  recommended?.basis === 'twoSided' ? recommended.score : NaN;
