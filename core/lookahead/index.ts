/** Look-ahead and warm-up as measurements: recompute on fewer bars, and name what changes. */
export {
  checkLookahead,
  checkWarmup,
  type LookaheadCheck,
  type MeasuredColumn,
  type Starts,
} from './check.ts';
export type { ColumnsOf } from './columns.ts';
export { drawnRows } from './drawn-rows.ts';
export { lookaheadOf, type ChangedColumn, type LookaheadOptions } from './lookahead.ts';
export { barsNeededFor, type DeclaredColumn, type Subject } from './subject.ts';
export { warmupOf } from './warmup.ts';
