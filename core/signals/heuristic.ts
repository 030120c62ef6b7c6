import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { bollinger } from '../indicators/bands.ts';
import { indicatorInput, use } from '../indicators/index.ts';
import { macd } from '../indicators/macd.ts';
import { simpleReturn } from '../indicators/returns.ts';
import { rsi } from '../indicators/rsi.ts';
import { volatility } from '../indicators/volatility.ts';
import { recommendByScore, type Recommended } from './recommendation.ts';

/** Terms of the heuristic, each in -1..1: above 0 it speaks for a rise. */
export interface HeuristicTerms {
  /** (50 - rsi) / 20: oversold. */
  readonly rsi: number;
  /** 1 - 2 x position in the Bollinger bands: low in its band. */
  readonly bollinger: number;
  /** macd_hist / (.25 c vol_20): momentum. */
  readonly macd: number;
  /** price_change_20 / (vol_20 sqrt(20)): trend. */
  readonly trend: number;
}

export interface HeuristicSignal extends Pick<Recommended, 'recommendation' | 'cuts' | 'score'> {
  /** (1 + score) / 2. Nothing was fitted: it is no frequency of anything. */
  readonly probability: number;
  readonly terms: HeuristicTerms;
}

const COLUMNS = {
  rsi: use(rsi, { period: 14 }),
  bollinger: use(bollinger, { period: 20 }),
  // Divided by the close.
  macd: use(macd, { output: 'histogram' }),
  change: use(simpleReturn, { bars: 20 }),
  volatility: use(volatility, { period: 20 }),
} as const;

/** Bars before the newest one without which the heuristic cannot be computed. */
export const HEURISTIC_WARMUP_BARS = Math.max(
  ...Object.values(COLUMNS).map(({ warmupBars }) => warmupBars),
);
/** Bars beyond which older ones change nothing: the longest memory, and the anchor before it. */
export const HEURISTIC_BARS = Math.max(
  ...Object.values(COLUMNS).map(({ memoryBars }) => memoryBars),
);

const unit = (value: number): number => Math.min(1, Math.max(-1, value));

/**
 * What a rule of thumb says where no model can (STATISTICS 5): the mean of four terms. It has learnt nothing and beats
 * nothing; whoever shows it says so. undefined with fewer than `HEURISTIC_WARMUP_BARS + 1` bars, or where prices stand still.
 */
export function heuristicSignal(bars: Bars, calendar: Calendar): HeuristicSignal | undefined {
  const last = barCount(bars) - 1;
  if (last < HEURISTIC_WARMUP_BARS) return undefined;
  const input = indicatorInput(bars, calendar);
  const at = (name: keyof typeof COLUMNS): number => input.column(COLUMNS[name])[last]!;
  const vol = at('volatility');
  const terms: HeuristicTerms = {
    rsi: unit((50 - 100 * at('rsi')) / 20),
    bollinger: unit(1 - 2 * at('bollinger')),
    macd: unit(at('macd') / (0.25 * vol)),
    trend: unit(at('change') / (vol * Math.sqrt(20))),
  };
  const score = Object.values(terms).reduce((a, b) => a + b, 0) / 4;
  if (!Number.isFinite(score)) return undefined;
  return { score, probability: (1 + score) / 2, terms, ...recommendByScore(score) };
}
