/**
 * What it costs to follow a signal, where nobody declared anything else (STATISTICS 8): a market that is open
 * round the clock (Upbit KRW) 5 bp a side and 2 bp slippage, US stocks nothing and 2 bp slippage. An index cannot be
 * bought, a simulated instrument does not exist: their returns are hypothetical, and are called so.
 */
import type { Calendar } from '../calendar/calendar.ts';

export interface TradingCost {
  readonly feeBps: number;
  readonly slippageBps: number;
}

const ALWAYS_OPEN = { feeBps: 5, slippageBps: 2 } as const;
const EXCHANGE = { feeBps: 0, slippageBps: 2 } as const;

/** Ids that no exchange trades: indices as Yahoo writes them, and those of the simulated source. */
const NOT_TRADABLE = /^(\^|SIM-)/;

export const isTradable = (instrument: string): boolean => !NOT_TRADABLE.test(instrument);

/** The declared default cost on a calendar. */
export const tradingCostOf = (calendar: Pick<Calendar, 'alwaysOpen'>): TradingCost =>
  calendar.alwaysOpen ? ALWAYS_OPEN : EXCHANGE;

/** Fraction of the position's value that one side (entry or exit) takes. */
export const costOfSide = ({ feeBps, slippageBps }: TradingCost): number =>
  (feeBps + slippageBps) / 10_000;
