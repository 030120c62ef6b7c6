export {
  averageByTime,
  decisionLosses,
  type DecisionLoss,
  type LossRow,
  type LossScale,
} from './losses.ts';
export { changedSteps } from './factor-steps.ts';
export { closeAt, mergeCloses, type Closes, type SourceCloses } from './closes.ts';
export {
  isRevised,
  outcomeOf,
  type HorizonForecast,
  type HorizonOutcome,
  type OutcomeScale,
} from './outcome.ts';
export {
  forecastsOf,
  settlePrediction,
  SLOT_MS,
  UNKNOWN_AFTER_MS,
  type SettleContext,
  type SettledAnswer,
  type SettledPrediction,
} from './settle-prediction.ts';
export { costOfSide, isTradable, tradingCostOf, type TradingCost } from './trading-cost.ts';
