import type { BacktestFacts } from '../facts.ts';

/** One figure of a backtest: an entry of the catalogue. */
export interface BacktestMetric {
  readonly name: string;
  /** As people read it. */
  readonly title: string;
  /** Formula, range and edge cases. */
  readonly docs: string;
  /** `none`: neither more nor less of it is better. */
  readonly direction: 'higher' | 'lower' | 'none';
  readonly format: 'number' | 'percent' | 'count';
  /** Where the definition is from. */
  readonly source: string;
  /** NaN where it is not defined: null in a result. */
  value(facts: BacktestFacts): number;
}

export const defineBacktestMetric = (metric: BacktestMetric): BacktestMetric =>
  Object.freeze(metric);
