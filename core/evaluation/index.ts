/** Evaluation: what a trained version is worth, on rows nothing was fitted or chosen on. */
export { spreadText } from './fold-words.ts';
export { meanForecast } from './served.ts';
export { evaluate, evaluateWithPauses } from './evaluate.ts';
export {
  evaluationSchema,
  parseEvaluation,
  type EvaluatedComparison,
  type Evaluation,
} from './evaluation.ts';
export type {
  ChampionForecast,
  EvaluationInput,
  JudgedAgain,
  NamedForecast,
  Reliability,
  SeedForecast,
} from './input.ts';
export { rowsByInstrument, trainingByInstrument, trainingOfFold } from './panel.ts';
export { medianSeed } from './median-seed.ts';
export { shortVerdict } from './verdict.ts';
export { searchWords } from './search-facts.ts';
export { MAJORITY, NAIVE, NAIVE_BASELINE, referenceName, TRAINING_MEAN } from './references.ts';
export { flatMetricDirection, flatMetrics } from './flat-metrics.ts';
export {
  decodeTestRows,
  encodeTestRows,
  TEST_ROWS,
  testRowsOf,
  type StoredTestRows,
} from './test-rows.ts';
