/** Reports of backtests: pages, drawings, tables and lines of text, all pure. */
export type {
  AdviceOrigin,
  BacktestOrigin,
  BacktestReportInput,
  InstrumentCloses,
  ModelAnswers,
  NamedResult,
  Settings,
} from './input.ts';
export { adviceWarnings } from './advice-section.ts';
export { cutPeriodWarnings } from './cut-period.ts';
export { EQUITY_COLUMNS, equityCsv, TRADE_COLUMNS, tradesCsv } from './csv.ts';
export { backtestPlots } from './plots.ts';
export { BACKTEST_SECTIONS, renderBacktest } from './render.ts';
export { verdictOf, type Against, type BacktestVerdict } from './verdict.ts';
export {
  COMPARISON_SECTIONS,
  COMPARED_MAX,
  comparisonVerdict,
  renderComparison,
} from './comparison.ts';
export { revisionWarnings } from './revised.ts';
export {
  differencesOf,
  type ComparedBacktest,
  type Difference,
  type Differences,
} from './differences.ts';
export { originOf, originText } from './origin-file.ts';
export { settingsOf } from './settings.ts';
export { backtestText } from './text.ts';
export { knewItsPeriod, modelAnswersOf, NOBODY } from './model-answers.ts';
