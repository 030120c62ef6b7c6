import type { Bars, Timeframe } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { ANCHOR_BARS } from '../indicators/index.ts';
import type { FeatureSet } from './feature-set.ts';
import type { FeatureMatrix } from './matrix.ts';
import { CHUNK_ROWS, featureStream, type FeatureStream } from './stream.ts';

/**
 * All columns of a set over some bars. A row depends on no later bar, and where the bars reach back to
 * the anchor of a row (see `barsNeeded`) it is the same bit for bit as from any longer history.
 * `into`: what the matrix' values are written to, where there is room for them already.
 * Throws `indicators.order` when the bars are not in order of time, `features.room` when `into` has another size.
 */
export function buildFeatures(
  set: FeatureSet,
  bars: Bars,
  calendar: Calendar,
  into?: Float64Array,
): FeatureMatrix {
  const rows = barCount(bars);
  const width = set.columns.length;
  const values = into ?? new Float64Array(rows * width);
  if (values.length !== rows * width) {
    throw new RatchetError(
      'features.room',
      `${rows} rows of ${width} features do not fit into ${values.length} numbers`,
    );
  }
  const stream = streamFor(set, rows, calendar, bars.timeframe);
  // A long history is built in stretches, each from as many bars before it as its first row needs.
  for (let at = 0; at < rows;) {
    const start = at === 0 ? 0 : startOf(set, bars, calendar, at);
    const end = Math.min(rows, start + stream.capacity);
    stream.clear();
    for (let from = start; from < end; from += CHUNK_ROWS) {
      const to = Math.min(end, from + CHUNK_ROWS);
      stream.add(bars, from, to);
      const first = Math.max(at, from);
      if (first < to) stream.write(to - first, values, first * width);
    }
    at = end;
  }
  return {
    names: set.names,
    rows,
    openTime: bars.openTime,
    values,
    firstWarmRow: Math.min(rows, set.warmupBars),
  };
}

/** The anchor that a row's recursions begin at, or the first row that its windows read. */
function startOf(
  { columns, memoryBars }: FeatureSet,
  { openTime, timeframe }: Bars,
  calendar: Calendar,
  row: number,
): number {
  let start = Math.max(0, row - memoryBars);
  if (!columns.some(({ use }) => use.recursive)) return start;
  const blockOf = (at: number): number =>
    Math.floor(calendar.indexOf(openTime[at]!, timeframe) / ANCHOR_BARS);
  while (start > 0 && blockOf(start) === blockOf(start - 1)) start--;
  return start;
}

/** Rows of a stretch: its columns take megabytes, not gigabytes. */
const STRETCH_ROWS = 8192;
const STRETCH_ROWS_MIN = 1024;
/** A stretch has at least so many times the rows that come before its first new one. */
const STRETCH_PER_START = 4;

interface Kept {
  readonly calendar: Calendar;
  readonly timeframe: Timeframe;
  readonly stream: FeatureStream;
}

/** By set: a stream is used again, for its columns take many times the memory of most matrices. */
const streams = new WeakMap<FeatureSet, Kept>();

function streamFor(
  set: FeatureSet,
  rows: number,
  calendar: Calendar,
  timeframe: Timeframe,
): FeatureStream {
  const kept = streams.get(set);
  const longest = Math.max(STRETCH_ROWS, STRETCH_PER_START * (set.memoryBars + ANCHOR_BARS));
  const wanted = Math.min(rows, longest);
  const fits = kept?.calendar === calendar && kept.timeframe === timeframe;
  if (fits && kept.stream.capacity >= wanted) return kept.stream;
  const capacity = Math.max(STRETCH_ROWS_MIN, Math.min(longest, 2 ** Math.ceil(Math.log2(wanted))));
  const stream = featureStream(set, capacity, calendar, timeframe);
  streams.set(set, { calendar, timeframe, stream });
  return stream;
}
