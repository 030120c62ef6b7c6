/** Look-ahead and warm-up as measurements: recompute on fewer bars, and name what changes. */
export type { ColumnsOf } from './columns.ts';
export { lookaheadOf, type ChangedColumn } from './lookahead.ts';
export { warmupOf } from './warmup.ts';
