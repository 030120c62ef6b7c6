export type {
  AbstainReason,
  ClassAnswer,
  Direction,
  FallbackReason,
  HorizonAnswer,
  PredictionAnswer,
} from './answer.ts';
export { mostProbable, riseScore } from './class-answer.ts';
export { fitClassConfidence, type ClassCalibrationRows } from './class-confidence.ts';
export { dissimilarityOf, fitOutlierReference, type TrainingRows } from './dissimilarity.ts';
export { plausibleRange } from './safety.ts';
export {
  CALIBRATION_WINDOWS_MAX,
  NO_CONFIDENCE,
  evenlySpaced,
  fitConfidence,
  type CalibrationWindow,
} from './confidence.ts';
export {
  drawSamples,
  openMonteCarlo,
  summariseSamples,
  type MonteCarloOpener,
  type MonteCarloRequest,
  type MonteCarloRunner,
  type MonteCarloShape,
  type SampleSummary,
} from './mc.ts';
export { openPackage, windowShape, type OpenedPackage, type Openers } from './opened.ts';
export {
  forecastFrom,
  forecastValues,
  instrumentOf,
  naiveForecast,
  predict,
  predictWindows,
  scalersOf,
  type ConfidenceMode,
  type Forecast,
  type Summaries,
} from './predict.ts';
export { windowFacts, type WindowFacts } from './window-facts.ts';
export type { CutWindows, WindowsRunner } from './cut-windows.ts';
export { PredictError } from './predict-error.ts';
export { windowFromBars, windowFromValues, type PredictionWindow } from './window.ts';
export { fallbackReasonOf, hasFallback } from './fallback.ts';
export {
  publicationCount,
  publicationsOf,
  type PublicationRange,
  type Publications,
} from './publication.ts';
export { forecastRange, type RangeAnswer } from './range.ts';
export {
  causeOf,
  causeOfProblem,
  PARITY_CAUSES,
  type DifferenceFacts,
  type NamedCause,
  type ParityCause,
} from './parity-cause.ts';
export {
  differencesOf,
  isSampled,
  type ComparedPart,
  type FieldDifference,
  type ReplayedAnswer,
  type StoredAnswer,
} from './same-answer.ts';
export { pastRange, wantedBars } from './reach.ts';
export { classReliability, reliabilityOf, type HorizonReliability } from './reliability.ts';
