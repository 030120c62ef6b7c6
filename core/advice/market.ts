import { barCount, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { drawdown } from '../indicators/drawdown.ts';
import { indicatorInput, use } from '../indicators/index.ts';
import { simpleReturn } from '../indicators/returns.ts';
import { volatility } from '../indicators/volatility.ts';
import { EMERGENCY_WARMUP_BARS, emergencyColumns } from '../signals/index.ts';
import { marketFactsSchema, type MarketFacts } from './facts.ts';

const BARS = 20;
const COLUMNS = {
  volatility: use(volatility, { period: BARS }),
  drawdown: use(drawdown, { period: BARS }),
  change: use(simpleReturn, { bars: BARS }),
} as const;

/** Bars before the newest one without which the state of a market cannot be told. */
export const MARKET_WARMUP_BARS = Math.max(
  ...Object.values(COLUMNS).map(({ warmupBars }) => warmupBars),
);

/** The state of a market at each of its bars; see `marketFacts`. `score` by bar. */
export function marketFactsAt(
  bars: Bars,
  calendar: Calendar,
  score?: Float64Array,
): (t: number) => MarketFacts | undefined {
  const input = indicatorInput(bars, calendar);
  const column = (name: keyof typeof COLUMNS): Float64Array => input.column(COLUMNS[name]);
  const [sd, below, change] = [column('volatility'), column('drawdown'), column('change')];
  const emergency = emergencyColumns(bars, calendar, score).score;
  const year = Math.sqrt(calendar.barsPerYear(bars.timeframe));
  return (t) => {
    if (t < MARKET_WARMUP_BARS) return undefined;
    const urgent = t < EMERGENCY_WARMUP_BARS ? NaN : emergency[t]!;
    const found = marketFactsSchema.safeParse({
      volatility: sd[t]! * year,
      drawdown: 1 - Math.exp(below[t]!),
      change: change[t]!,
      emergencyScore: Number.isFinite(urgent) ? urgent : null,
    });
    return found.success ? found.data : undefined;
  };
}

/**
 * The state of a market at its last bar; undefined with fewer than `MARKET_WARMUP_BARS + 1` bars or where a price is
 * missing. `score`: p(buy) - p(sell) of a model, for the emergency score; NaN or absent: nothing was said.
 */
export function marketFacts(bars: Bars, calendar: Calendar, score = NaN): MarketFacts | undefined {
  const last = barCount(bars) - 1;
  if (last < MARKET_WARMUP_BARS) return undefined;
  return marketFactsAt(bars, calendar, new Float64Array(last + 1).fill(score))(last);
}
