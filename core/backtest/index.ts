export { buyAndHold } from './benchmark.ts';
export { runBacktest, type BacktestRun } from './engine.ts';
export {
  backtestRules,
  backtestRulesSchema,
  EMERGENCY_SCORE,
  tradingCostsSchema,
  type BacktestRules,
  type BacktestRulesInput,
  type TradingCosts,
} from './rules.ts';
export { costsOf, startingAt, type InstrumentSeries } from './series.ts';
export { EXIT_REASONS, type ExitReason, type Trade } from './trade.ts';
