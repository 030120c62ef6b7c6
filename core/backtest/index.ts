export {
  countAnswers,
  decodeAnswers,
  emptyAnswers,
  encodeAnswers,
  joinAnswers,
  writeAnswer,
  type AnswerColumns,
  type AnswerReading,
} from './answers.ts';
export { buyAndHold } from './benchmark.ts';
export { runBacktest, type BacktestRun } from './engine.ts';
export {
  evaluateBacktest,
  evaluateFigures,
  sharpeInterval,
  type BacktestFigures,
  type EvaluateOptions,
} from './evaluate.ts';
export { BacktestFacts, yearOf, type FactOptions, type Tries } from './facts.ts';
export { sized, sizesFromHistory, type GivenAdvice, type HistorySizes } from './given-sizes.ts';
export { backtestMetrics, metricValues } from './metrics/index.ts';
export { defineBacktestMetric, type BacktestMetric } from './metrics/metric.ts';
export { monteCarlo, type Band, type MonteCarlo } from './monte-carlo.ts';
export { BACKTEST_FORMAT, backtestResultSchema, type BacktestResult } from './result.ts';
export { dailyEquity, drawdownsOf, monthlyReturns, returnsOf } from './returns.ts';
export {
  backtestRules,
  backtestRulesSchema,
  tradingCostsSchema,
  type BacktestRules,
  type BacktestRulesInput,
  type TradingCosts,
} from './rules.ts';
export { sensitivityOf, type Sensitivity, type SensitivityPoint } from './sensitivity.ts';
export { costsOf, startingAt, type InstrumentSeries } from './series.ts';
export {
  questionsOf,
  simulate,
  twinNames,
  type SimulatedInstrument,
  type SimulatedStrategy,
  type Simulation,
  type SizeTwins,
} from './simulate.ts';
export { EXIT_REASONS, type ExitReason, type Trade } from './trade.ts';
export {
  compareHistory,
  compareSizes,
  type HistoryComparison,
  type SignalledAdvice,
  type SizeComparison,
  type SizedSeries,
} from './size-comparison.ts';
export { thinCurve } from './thin.ts';
