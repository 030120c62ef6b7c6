import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Bars, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  buildFeatures,
  featureSetOf,
  completeChoice,
  featureSetOrThrow,
} from '../../../core/features/index.ts';
import { hourlyWalk, sp500 } from '../../support/example-bars.ts';

interface Golden {
  readonly firstIndex: number;
  readonly bars: number;
  readonly rows: readonly number[];
  /** By set and column, one value a row; null: not warm yet. */
  readonly sets: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
}

const readGolden = (name: string): Golden =>
  JSON.parse(
    readFileSync(new URL(`../../golden/levelled-sets.${name}.json`, import.meta.url), 'utf8'),
  ) as Golden;

/** Values are compared against the size of the level that they are made of. */
const TOLERANCE = 1e-9;

function mistakes(setName: string, bars: Bars, calendar: string, golden: Golden): string[] {
  const set = featureSetOrThrow(setName);
  const matrix = buildFeatures(set, bars, calendarFor(calendar));
  const table = golden.sets[setName]!;
  assert.deepEqual(Object.keys(table), set.names, 'names and order');
  return set.names.flatMap((feature, column) =>
    golden.rows.flatMap((row, i) => {
      const expected = table[feature]![i]!;
      const actual = matrix.values[row * set.names.length + column]!;
      const scale = set.name.endsWith('-raw') ? bars.close[row]! : 1;
      const equal =
        expected === null
          ? Number.isNaN(actual)
          : Math.abs(actual - expected) <= TOLERANCE * Math.max(scale, Math.abs(expected));
      return equal ? [] : [`${feature} row ${row}: ${actual} instead of ${expected}`];
    }),
  );
}

for (const [name, read, calendar] of [
  ['sp500', sp500, 'nyse'],
  ['hourly', hourlyWalk, '24x7'],
] as const) {
  const golden = readGolden(name);
  const bars = read();
  for (const setName of Object.keys(golden.sets)) {
    test(`${setName} of ${name}: every column equals TA-Lib and the generator within 1e-9`, () => {
      const first = calendarFor(calendar).indexOf(bars.openTime[0]!, bars.timeframe);
      assert.deepEqual([first, bars.openTime.length], [golden.firstIndex, golden.bars]);
      assert.deepEqual(mistakes(setName, bars, calendar, golden), []);
    });
  }
}

const CRYPTO_46 = (
  'open high low close volume value returns log_returns high_low_ratio close_open_ratio ' +
  'volume_change volume_ma_ratio rsi macd macd_signal macd_hist ' +
  'bb_upper bb_middle bb_lower bb_width bb_position atr atr_ratio ' +
  'sma_5 ema_5 price_to_sma_5 sma_10 ema_10 price_to_sma_10 sma_20 ema_20 price_to_sma_20 ' +
  'sma_50 ema_50 price_to_sma_50 sma_100 ema_100 price_to_sma_100 volatility_5 volatility_20 ' +
  'momentum_5 roc_5 momentum_10 roc_10 momentum_20 roc_20'
).split(' ');

test('crypto-46 has its 46 names in order, and 26 level columns whose units differ', () => {
  const relative = featureSetOf({ set: 'crypto-46' });
  const raw = featureSetOf({ set: 'crypto-46', levels: 'raw' });
  assert.equal(CRYPTO_46.length, 46);
  assert.deepEqual(relative.names, CRYPTO_46);
  assert.deepEqual(raw.names, CRYPTO_46);
  const differ = raw.columns.filter((c, i) => c.use.key !== relative.columns[i]!.use.key);
  assert.equal(differ.length, 26);
  assert.ok(raw.memoryBars >= 675, 'EMA 100 needs as many for 1e-5');
});

const DAILY_22 = (
  'rsi macd macd_signal macd_hist bb_upper bb_middle bb_lower bb_width bb_position ' +
  'sma_5 sma_10 sma_20 sma_50 ema_12 ema_26 volume_ratio volume_sma obv ' +
  'price_change_1d price_change_5d price_change_20d high_low_range'
).split(' ');

test('daily-22 has its 22 names in order', () => {
  assert.equal(DAILY_22.length, 22);
  for (const levels of ['relative', 'raw'] as const) {
    assert.deepEqual(featureSetOf({ set: 'daily-22', levels }).names, DAILY_22);
  }
});

test('units are told apart by name and hash, and a set without levels takes none', () => {
  assert.deepEqual(completeChoice({ set: 'crypto-46' }), { set: 'crypto-46', levels: 'relative' });
  assert.deepEqual(completeChoice({ set: 'technical-152' }), { set: 'technical-152' });
  const [relative, raw] = [
    featureSetOrThrow('crypto-46-relative'),
    featureSetOrThrow('crypto-46-raw'),
  ];
  assert.notEqual(relative.hash, raw.hash);
  assert.throws(() => completeChoice({ set: 'technical-152', levels: 'raw' }), {
    code: 'features.levels',
  });
  assert.throws(() => completeChoice({ set: 'constructor' }), { code: 'features.unknown' });
});

test('relative levels do not change with the unit of prices and volumes; raw ones do', () => {
  const bars = hourlyWalk();
  const times = (x: Float64Array, factor: number): Float64Array => x.map((v) => v * factor);
  const dear: Bars = {
    ...bars,
    open: times(bars.open, 1024),
    high: times(bars.high, 1024),
    low: times(bars.low, 1024),
    close: times(bars.close, 1024),
    volume: times(bars.volume, 8),
    value: times(bars.value, 8192),
  };
  const calendar = calendarFor('24x7');
  const of = (name: string, some: Bars): Float64Array =>
    buildFeatures(featureSetOrThrow(name), some, calendar).values;
  const relative = featureSetOrThrow('crypto-46-relative');
  const from = relative.warmupBars * relative.names.length;
  const [before, after] = [of(relative.name, bars), of(relative.name, dear)].map((v) =>
    v.subarray(from),
  );
  const moved = before!.findIndex((v, i) => Math.abs(v - after![i]!) > 1e-9 * Math.max(1, v));
  assert.equal(moved, -1);
  assert.notEqual(of('crypto-46-raw', bars)[46 * 300], of('crypto-46-raw', dear)[46 * 300]);
});

test('a window has the same bits from the bars that barsNeeded asks for, holes included', () => {
  const calendar = calendarFor('24x7');
  const all = hourlyWalk();
  const keep = Array.from(all.openTime.keys()).filter((t) => t % 53 !== 7);
  const pick = (x: Float64Array): Float64Array => Float64Array.from(keep, (t) => x[t]!);
  const bars: Bars = {
    ...all,
    openTime: pick(all.openTime),
    open: pick(all.open),
    high: pick(all.high),
    low: pick(all.low),
    close: pick(all.close),
    volume: pick(all.volume),
    value: pick(all.value),
  };
  for (const name of ['crypto-46-relative', 'crypto-46-raw', 'daily-22-relative', 'daily-22-raw']) {
    const set = featureSetOrThrow(name);
    const whole = buildFeatures(set, bars, calendar).values;
    const last = bars.openTime.length - 1;
    const needed = set.barsNeeded(bars.openTime[last]!, 24, calendar, '1h');
    const from = calendar.indexOf(bars.openTime[last]!, '1h') - needed + 1;
    const start = bars.openTime.findIndex((time) => calendar.indexOf(time, '1h') >= from);
    assert.ok(start > 0, 'the test must cut something off');
    const cut = buildFeatures(set, sliceBars(bars, start), calendar).values;
    const window = 24 * set.names.length;
    assert.deepEqual(cut.slice(-window), whole.slice(-window));
  }
});
