/**
 * What it costs to follow a signal, where nobody declared anything else (STATISTICS 8): a market that is open
 * round the clock (Upbit KRW) 5 bp a side and 2 bp slippage, US stocks nothing and 2 bp slippage. An index cannot be
 * bought, a simulated instrument does not exist: their returns are hypothetical, and are called so.
 */
import type { Calendar } from '../calendar/calendar.ts';

export interface TradingCost {
  readonly feeBps: number;
  readonly slippageBps: number;
  /** The instrument itself cannot be traded. */
  readonly hypothetical: boolean;
}

const ALWAYS_OPEN = { feeBps: 5, slippageBps: 2 } as const;
const EXCHANGE = { feeBps: 0, slippageBps: 2 } as const;

/** Ids that no exchange trades: indices as Yahoo writes them, and those of the simulated source. */
const NOT_TRADABLE = /^(\^|SIM-)/;

/** The declared default cost of an instrument on its calendar. */
export function tradingCostOf(
  instrument: string,
  calendar: Pick<Calendar, 'alwaysOpen'>,
): TradingCost {
  const cost = calendar.alwaysOpen ? ALWAYS_OPEN : EXCHANGE;
  return { ...cost, hypothetical: NOT_TRADABLE.test(instrument) };
}

/** Fraction of the position's value that one side (entry or exit) takes. */
export const costOfSide = ({ feeBps, slippageBps }: TradingCost): number =>
  (feeBps + slippageBps) / 10_000;

/** The declared cost in words. */
export function tradingCostWords(cost: TradingCost): string {
  const { feeBps, slippageBps, hypothetical } = cost;
  const words = `${feeBps} bp fee and ${slippageBps} bp slippage a side`;
  return hypothetical ? `hypothetical (the instrument cannot be traded): ${words}` : words;
}
