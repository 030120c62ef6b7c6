/** Answers at many instants: what is asked, how a row says it, and how rows are written. */
export {
  CURSOR_LENGTH,
  cursorOf,
  placeOf,
  questionDigest,
  type RangeIdentity,
  type RangePlace,
} from './cursor.ts';
export {
  CONTENT_TYPES,
  countedIn,
  encoderOf,
  lineOf,
  RANGE_FORMATS,
  type RangeFormat,
  type RowEncoder,
  type RowTotals,
} from './encoder.ts';
export { instantsOf, rangeFactsSchema, type RangeFacts, type RangeShape } from './facts.ts';
export { rowOf, type RangeRow, type RowOf } from './row.ts';
export { ARROW_COLUMNS } from './columns.ts';
export {
  BATCH_ROWS,
  PART_ROWS,
  partCount,
  spansOfPart,
  type RangeSize,
  type RangeSpan,
} from './parts.ts';
