/** Drift of inputs, forecasts, data quality and losses: what others may use. Drift tests are listed in catalogue.ts. */
export { calibrateCusum, type CalibrationOptions } from './calibrate.ts';
export { driftTests, driftTestsOf } from './catalogue.ts';
export { runCusum, startCusum, stepCusum, type CusumRun, type CusumStep } from './cusum.ts';
export { inputDrift, predictionDrift, type InputDriftOptions } from './input-drift.ts';
export {
  blockOf,
  dailyMeans,
  ewmaVariance,
  lossVariance,
  normalisedLosses,
  settlingBars,
  varianceFloor,
  type HorizonLoss,
} from './normalised-loss.ts';
export { qualityDrift, qualityWindows } from './quality-drift.ts';
export { driftReport, type DriftReportInput } from './report.ts';
export { driftPlots } from './report/plots.ts';
export { renderDriftReport } from './report/page.ts';
export { staleness, type StalenessInput } from './staleness.ts';
export {
  autoWindow,
  columnsFrom,
  MAX_WINDOWS,
  MIN_WINDOWS,
  REFERENCE_WINDOWS,
  type DriftColumns,
} from './windows.ts';
export * from './schemas.ts';
