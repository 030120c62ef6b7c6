export { adjustBars, type FactorRow } from './adjust.ts';
export {
  BAR_COLUMNS,
  barCount,
  sliceBars,
  TIMEFRAME_MS,
  TIMEFRAMES,
  type BarColumn,
  type Bars,
  type Timeframe,
} from './bars.ts';
export {
  barsBetween,
  barsFromRows,
  concatBars,
  emptyBars,
  lowerBound,
  mapColumns,
  sortBars,
  takeBars,
  type BarRow,
} from './build.ts';
export { hashBars } from './hash.ts';
export {
  mergeSources,
  rankSources,
  type MergedBars,
  type SourcedBars,
  type SourceRole,
} from './merge.ts';
export {
  applyMissing,
  fillMissing,
  MISSING_POLICIES,
  type MissingPolicy,
  missingPolicyOf,
  type MissingRules,
} from './missing.ts';
export { CLOSE_GRACE_MS, dropProvisional } from './provisional.ts';
export { knownAt, newRevisions, type NewRevisions, type StoredBars } from './revisions.ts';
export {
  joinSeries,
  SERIES_JOINS,
  type SeriesColumn,
  type SeriesJoin,
  type SeriesPoint,
  type SeriesPoints,
  type SourcedSeries,
} from './series.ts';
export { newVintages, type SeriesArrival } from './vintages.ts';
