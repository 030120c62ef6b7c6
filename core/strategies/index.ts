/** Strategies: pure functions from bars and a model's answers to target positions. */
export {
  adviceOf,
  needsModel,
  strategies,
  STRATEGY_COUNT_MAX,
  STRATEGY_DEPTH_MAX,
  strategyOrThrow,
  strategySpecSchema,
} from './catalogue.ts';
export { answerBarsOf, decide, memoryBarsOf, strategyColumns, warmupBarsOf } from './decide.ts';
export { byFallback } from './decided.ts';
export { strategySignal, type StrategySignal } from './signal.ts';
export {
  ADVICE_SOURCES,
  sliceModel,
  type AdviceUse,
  type Decided,
  type ModelColumns,
  type Part,
  type Strategy,
  type StrategyInput,
  type StrategySpec,
} from './strategy.ts';
