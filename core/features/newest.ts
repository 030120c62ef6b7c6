import { barCount, type Bars, type Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { FeatureSet } from './feature-set.ts';
import { StreamTail } from './tail.ts';
import { CHUNK_ROWS, featureStream, type FeatureStream } from './stream.ts';

/**
 * Instruments whose columns are kept for their next bar; some five megabytes each, more of a long
 * lookback.
 */
const KEPT_MAX = 12;
/**
 * Columns that so many windows of others were made after are kept no longer: their model may serve
 * no more.
 */
const UNUSED_MAX = 1000;
/** Room for bars to come, at least; when it is used up, columns are computed anew. */
const LATER_BARS = 192;
/** Rooms are multiples of so many bars, so that one is large enough however far the anchor lies. */
const ROOM_BARS = 1024;

interface Kept {
  readonly instrument: string;
  readonly set: FeatureSet;
  readonly calendar: Calendar;
  readonly timeframe: Timeframe;
  readonly stream: FeatureStream;
  readonly tail: StreamTail;
  /** Number of the window that was made of it last. */
  readonly usedAt: number;
}

let windows = 0;
/** What was asked for last stands last. */
let kept: readonly Kept[] = [];

/**
 * The last `rows` rows of `buildFeatures(set, bars, calendar)`, row-major, the same bit for bit.
 * Where bars of the instrument were asked for before, and those at hand are bit for bit the same,
 * only the rows of later bars are computed.
 */
export function newestRows(
  set: FeatureSet,
  bars: Bars,
  calendar: Calendar,
  rows: number,
): Float64Array {
  const { instrument, timeframe } = bars;
  windows += 1;
  const ofSet = kept.filter(
    (one) => one.set === set && one.calendar === calendar && one.timeframe === timeframe,
  );
  const before = ofSet.find((one) => one.instrument === instrument);
  const count = barCount(bars);
  let known = before ? knownBars(before, bars, rows) : 0;
  let stream = before?.stream;
  let tail = before?.tail;
  let used = before;
  if (stream === undefined || known === 0) {
    known = 0;
    used = before ?? (kept.length < KEPT_MAX ? undefined : ofSet[0]);
    stream = used?.stream;
    if (stream !== undefined && stream.capacity >= count + LATER_BARS) stream.clear();
    else stream = featureStream(set, roomFor(count), calendar, timeframe);
    tail = undefined;
  }
  if (tail?.rows !== rows) tail = new StreamTail(stream, set.columns.length, rows);
  // Not kept until it has all of its rows: a step that throws leaves some without values.
  kept = kept
    .filter((one) => one !== used && windows - one.usedAt < UNUSED_MAX)
    .slice(1 - KEPT_MAX);
  for (let from = known; from < count; from += CHUNK_ROWS) {
    stream.add(bars, from, Math.min(count, from + CHUNK_ROWS));
  }
  kept = [...kept, { instrument, set, calendar, timeframe, stream, tail, usedAt: windows }];
  return tail.window();
}

const roomFor = (bars: number): number => Math.ceil((bars + LATER_BARS) / ROOM_BARS) * ROOM_BARS;

/**
 * How many leading bars a stream has already; 0: others, or so many that there is no room for what
 * follows.
 */
function knownBars({ stream, set, calendar }: Kept, bars: Bars, rows: number): number {
  const found = stream.find(bars);
  if (found === undefined) return 0;
  const { row, count } = found;
  if (stream.rows + barCount(bars) - count > stream.capacity) return 0;
  // Older bars than those at hand must not count: they do not where these reach back to the anchor.
  const oldest = row + barCount(bars) - rows - set.memoryBars;
  const reaches = row === 0 || stream.anchored(row, oldest);
  return reaches || set.missingBars(bars, rows, calendar) === 0 ? count : 0;
}
