/**
 * Milliseconds for technical-152 over 6,300 daily bars (25 years), for the whole preparation (labels,
 * split and scalers too) and for its binary form. The first time includes compilation.
 * Run: node --import tsx test/bench/features.bench.ts [--json]
 */
import { calendarFor } from '../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow } from '../../core/features/index.ts';
import { type PreparePlan, prepareUnit } from '../../core/features/prepare.ts';
import { decodePrepared, encodePrepared } from '../../core/features/prepared.ts';
import { walkBars } from '../support/example-bars.ts';

const BARS = 6300;
const REPEATS = 100;

interface Result {
  readonly what: string;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly bestMs: number;
}

function timed(what: string, work: () => unknown): Result {
  const times: number[] = [];
  for (let k = 0; k < REPEATS; k++) {
    const from = performance.now();
    work();
    times.push(performance.now() - from);
  }
  const firstMs = times[0]!;
  times.sort((a, b) => a - b);
  return { what, firstMs, medianMs: times[REPEATS >> 1]!, bestMs: times[0]! };
}

const calendar = calendarFor('nyse');
const set = featureSetOrThrow('technical-152');
const times = calendar.between(Date.UTC(1995, 0, 1), Date.UTC(2023, 0, 1), '1d');
const bars = walkBars(times.subarray(0, BARS), 1);
const plan: PreparePlan = {
  set,
  lookback: 60,
  label: { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
  split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
  scaling: { features: 'minmax', labels: 'minmax' },
  timeframe: '1d',
  calendar,
  missing: 'ffill',
};
const { prepared } = prepareUnit(plan, [bars]);
const bytes = encodePrepared(prepared);

const results = [
  timed(`${set.name} over ${BARS} bars`, () => buildFeatures(set, bars, calendar)),
  timed('features, labels, split and scalers', () => prepareUnit(plan, [bars])),
  timed(`encode (${bytes.length} bytes)`, () => encodePrepared(prepared)),
  timed('decode', () => decodePrepared(bytes)),
];
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
else console.table(results);
