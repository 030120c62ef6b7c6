import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  adjustBars,
  applyMissing,
  barCount,
  barsBetween,
  barsFromRows,
  concatBars,
  dropProvisional,
  fillMissing,
  hashBars,
  knownAt,
  mergeSources,
  MISSING_POLICIES,
  missingPolicyOf,
  type MissingRules,
  newRevisions,
  sliceBars,
  sortBars,
  takeBars,
  type Bars,
} from '../../../core/bars/index.ts';
import { mapColumns } from '../../../core/bars/build.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { indexBars } from '../../support/lab-data.ts';
import { seeded, walkBars, withRows } from '../../support/made-bars.ts';

const nyse = calendarFor('nyse');
const always = calendarFor('24x7');
const without = (bars: Bars, ...rows: number[]): Bars =>
  takeBars(
    bars,
    Array.from(bars.openTime.keys()).filter((i) => !rows.includes(i)),
  );

test('the hash names content: equal numbers, equal hash; anything else, another', () => {
  const bars = walkBars(50);
  const hash = hashBars(bars);
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.equal(hashBars(walkBars(50)), hash);
  // Views on other memory and joined pieces are the same content.
  assert.equal(hashBars(concatBars([sliceBars(bars, 0, 20), sliceBars(bars, 20)])), hash);
  const others = [
    sliceBars(bars, 1),
    { ...bars, instrument: 'OTHER' },
    { ...bars, timeframe: '1h' as const },
    { ...bars, valueDerived: false },
    { ...bars, exogenous: { 'vix.close': bars.close } },
    withRows(bars, { 7: { close: bars.close[7]! * (1 + Number.EPSILON) } }),
  ];
  assert.equal(new Set([hash, ...others.map(hashBars)]).size, others.length + 1);
});

test('the hash of a known series never changes', () => {
  // Made by this code on 2026-11-21: another value means that every stored dataset version is orphaned.
  assert.equal(
    hashBars(indexBars('sp500')),
    'b67fb74b6e3ab41a733a8baf430a8c736d1197a571554e6010b0be9701accc1a',
  );
});

test('negative zero and the many NaNs are one number each; disorder is refused', () => {
  const bars = walkBars(3);
  const weird = new Float64Array(new BigUint64Array([0x7ff8_0000_0000_0001n, 0n, 0n]).buffer);
  const a = { ...bars, value: Float64Array.of(Number.NaN, 0, 0) };
  assert.equal(hashBars({ ...bars, value: weird }), hashBars(a));
  assert.equal(hashBars({ ...a, value: Float64Array.of(Number.NaN, -0, 0) }), hashBars(a));
  assert.throws(() => hashBars(takeBars(bars, [1, 0, 2])), /row 2 is not after/);
});

test('sorting puts rows in order and keeps the last of a repeated time', () => {
  const bars = walkBars(20);
  assert.equal(sortBars(bars, { unique: true }), bars);
  const random = seeded(3);
  const order = Array.from(bars.openTime.keys()).sort(() => random() - 0.5);
  assert.equal(hashBars(sortBars(takeBars(bars, order), { unique: true })), hashBars(bars));
  const twice = takeBars(withRows(bars, {}), [0, 1, 1, 2]);
  twice.close[2] = 42;
  const unique = sortBars(twice, { unique: true });
  assert.deepEqual([barCount(unique), unique.close[1]], [3, 42]);
});

test('a range is half open', () => {
  const bars = walkBars(10);
  const part = barsBetween(bars, bars.openTime[2]!, bars.openTime[5]!);
  assert.deepEqual(part.openTime, bars.openTime.subarray(2, 5));
});

test('merge: the fallback fills holes only, exogenous adds columns only', () => {
  const bars = walkBars(10);
  const other = withRows(
    bars,
    Object.fromEntries([...Array(10).keys()].map((i) => [i, { close: 1 }])),
  );
  const merged = mergeSources([
    { name: 'backup', role: 'fallback', bars: other },
    { name: 'main', role: 'primary', bars: without(bars, 3, 4) },
    { name: 'vix', role: 'exogenous', bars: without(other, 0) },
  ])!;
  assert.equal(barCount(merged.bars), 10);
  assert.deepEqual(
    [...merged.bars.close].map((c) => c === 1),
    [0, 0, 0, 1, 1, 0, 0, 0, 0, 0].map(Boolean),
  );
  const at = (row: number): number => bars.openTime[row]!;
  const delivery = { moreRanges: 0, ranges: [] };
  assert.deepEqual(merged.deliveredBy, [
    {
      ...{ ...delivery, name: 'main', role: 'primary', rows: 8 },
      ranges: [
        { from: at(0), to: at(2), rows: 3 },
        { from: at(5), to: at(9), rows: 5 },
      ],
    },
    {
      ...{ ...delivery, name: 'backup', role: 'fallback', rows: 2 },
      ranges: [{ from: at(3), to: at(4), rows: 2 }],
    },
    { ...delivery, name: 'vix', role: 'exogenous', rows: 0 },
  ]);
  assert.deepEqual([...merged.bars.exogenous!['vix.close']!], [Number.NaN, ...Array(9).fill(1)]);
});

test('merge: without a primary the fallback leads; without any there is nothing', () => {
  const bars = walkBars(5);
  const empty = sliceBars(bars, 0, 0);
  const led = mergeSources([
    { name: 'main', role: 'primary', bars: empty },
    { name: 'backup', role: 'fallback', bars },
  ])!;
  const counts = (merged: typeof led) => merged.deliveredBy.map(({ name, rows }) => [name, rows]);
  assert.deepEqual(counts(led), [['backup', 5]]);
  assert.equal(mergeSources([{ name: 'vix', role: 'exogenous', bars }]), undefined);
});

test('merge: a substitute gives all bars or none, and only where no other source has one', () => {
  const bars = walkBars(5);
  const other = walkBars(8, { seed: 2 });
  const standIn = { name: 'made', role: 'substitute' as const, bars: other };
  const backup = { name: 'backup', role: 'fallback' as const, bars: sliceBars(bars, 2, 3) };
  const main = { name: 'main', role: 'primary' as const, bars: sliceBars(bars, 0, 0) };
  const stood = mergeSources([main, standIn, { ...standIn, name: 'second' }])!;
  assert.deepEqual(stood.bars.close, other.close);
  assert.deepEqual(
    stood.deliveredBy.map(({ name, role, rows }) => [name, role, rows]),
    [['made', 'substitute', 8]],
  );
  // One bar of a real source: simulated prices are on another level and never fill its holes.
  assert.equal(barCount(mergeSources([main, standIn, backup])!.bars), 1);
});

test('merge: a source that fills here and there lists a hundred of its ranges', () => {
  const bars = walkBars(300);
  const odd = without(bars, ...[...Array(150).keys()].map((i) => 2 * i));
  const { deliveredBy } = mergeSources([
    { name: 'main', role: 'primary', bars: odd },
    { name: 'backup', role: 'fallback', bars },
  ])!;
  assert.deepEqual(
    deliveredBy.map(({ rows, ranges, moreRanges }) => [rows, ranges.length, moreRanges]),
    [
      [150, 100, 50],
      [150, 100, 50],
    ],
  );
});

test('adjustment: a 4:1 split and a dividend, as of three times', () => {
  const bars = walkBars(10);
  const [early, late] = [bars.openTime[3]!, bars.openTime[7]!];
  const factors = [
    { effectiveFrom: early, priceFactor: 0.25 * 0.99, splitFactor: 0.25 },
    { effectiveFrom: late, priceFactor: 0.99, splitFactor: 1 },
  ];
  const now = adjustBars(bars, factors);
  assert.equal(now.close[2], bars.close[2]! * (0.25 * 0.99));
  assert.equal(now.volume[2], bars.volume[2]! / 0.25);
  assert.equal(now.close[5], bars.close[5]! * 0.99);
  assert.equal(now.volume[5], bars.volume[5]);
  assert.equal(now.close[8], bars.close[8]);
  // Before the dividend nobody knew it: only the split counts, and the newest price is as traded.
  const between = adjustBars(bars, factors, bars.openTime[5]);
  assert.ok(Math.abs(between.close[2]! / (bars.close[2]! * 0.25) - 1) < 1e-12);
  assert.equal(between.close[5], bars.close[5]);
  const before = adjustBars(bars, factors, bars.openTime[1]);
  assert.deepEqual(before.close, bars.close);
});

test('adjustment never changes traded value of a derived column', () => {
  const bars = walkBars(5);
  const f = [{ effectiveFrom: bars.openTime[4]!, priceFactor: 0.5, splitFactor: 0.5 }];
  const value = adjustBars(bars, f).value;
  assert.ok(value.every((v, i) => Math.abs(v / bars.value[i]! - 1) < 1e-12));
});

test('missing: each policy says what stands in a hole', () => {
  const bars = walkBars(10);
  const holes = without(bars, 4, 5);
  const filled = applyMissing(holes, nyse, 'ffill');
  assert.deepEqual(filled.openTime, bars.openTime);
  for (const c of ['open', 'high', 'low', 'close'] as const) {
    assert.deepEqual([filled[c][4], filled[c][5]], [bars.close[3], bars.close[3]]);
  }
  assert.equal(filled.volume[5], bars.volume[3]);
  const zero = applyMissing(holes, nyse, 'zero');
  assert.deepEqual([zero.close[5], zero.volume[5], zero.value[5]], [bars.close[3], 0, 0]);
  assert.equal(applyMissing(holes, nyse, 'drop'), holes);
});

test('missing: NaN cells are filled from before; back fill only in the head', () => {
  const bars = walkBars(10);
  const gaps = withRows(bars, { 0: { close: Number.NaN }, 6: { close: Number.NaN } });
  const filled = applyMissing(gaps, nyse, 'ffill', 2);
  assert.equal(filled.close[0], bars.close[1], 'inside the head');
  assert.equal(filled.close[6], bars.close[5]);
  assert.equal(barCount(filled), 10);
  // Without a head the first row cannot be filled without looking ahead: it goes.
  assert.equal(barCount(applyMissing(gaps, nyse, 'ffill')), 9);
  const late = withRows(bars, { 0: { close: Number.NaN }, 1: { close: Number.NaN } });
  assert.equal(barCount(applyMissing(late, nyse, 'ffill', 1)), 8, 'longer than the head');
  assert.equal(barCount(applyMissing(gaps, nyse, 'drop')), 8);
});

test('missing: rules are declared for all, by instrument, and for the head', () => {
  const bars = without(walkBars(10), 4);
  const gaps = withRows(bars, { 0: { volume: Number.NaN } });
  const rows = (rules: MissingRules): number => barCount(fillMissing(gaps, nyse, rules, 2));
  assert.equal(rows({ missing: 'ffill' }), 10);
  assert.equal(rows({ missing: 'ffill', missingHead: 'drop' }), 9);
  assert.equal(rows({ missing: 'ffill', missingBy: { [bars.instrument]: 'drop' } }), 9);
  assert.equal(rows({ missing: 'ffill', missingBy: { OTHER: 'drop' } }), 10);
  assert.equal(missingPolicyOf({ missing: 'zero', missingBy: {} }, 'constructor'), 'zero');
});

test('missing: the head takes nothing from behind itself, whatever is missing (seeded gaps)', () => {
  const HEAD = 12;
  for (let seed = 1; seed <= 30; seed++) {
    const random = seeded(seed);
    const gaps = mapColumns(walkBars(60, { seed, timeframe: '1h', from: '2024-01-01' }), (column) =>
      column.map((x, i) => (random() < (i < 20 ? 0.5 : 0.1) ? Number.NaN : x)),
    );
    for (const policy of MISSING_POLICIES) {
      // What is filled in after the head, and what of the head is filled, knows no later bar than this.
      for (const seen of [HEAD, HEAD + 1, 30, 59]) {
        const later = mapColumns(gaps, (column) =>
          column.map((x, i) => (i > seen ? (Number.isNaN(x) ? 1 : x * 2) : x)),
        );
        const [one, other] = [gaps, later].map((bars) => {
          const filled = applyMissing(bars, always, policy, HEAD);
          return takeBars(
            filled,
            [...filled.openTime.keys()].filter((i) => filled.openTime[i]! <= gaps.openTime[seen]!),
          );
        });
        assert.equal(hashBars(one!), hashBars(other!), `${policy}, seed ${seed}, bar ${seen}`);
      }
    }
  }
});

test('missing: the future changes nothing (prefix property, seeded holes)', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed);
    const hourly = walkBars(200, { seed, timeframe: '1h', from: '2024-01-01' });
    const holes = takeBars(
      hourly,
      Array.from(hourly.openTime.keys()).filter((i) => i === 0 || random() > 0.2),
    );
    for (const policy of ['ffill', 'zero', 'drop'] as const) {
      const whole = applyMissing(holes, always, policy);
      const cut = 1 + Math.floor(random() * (barCount(holes) - 1));
      const part = applyMissing(sliceBars(holes, 0, cut), always, policy);
      assert.equal(hashBars(sliceBars(whole, 0, barCount(part))), hashBars(part));
    }
  }
});

test('provisional: bars that had not closed when they arrived go, closed ones stay', () => {
  const bars = walkBars(5, { from: '2023-07-24' });
  const close = nyse.closeTime(bars.openTime[4]!, '1d');
  assert.equal(dropProvisional(bars, nyse, close + 29 * 60_000).dropped, 1);
  assert.equal(dropProvisional(bars, nyse, close + 30 * 60_000).dropped, 0);
  assert.equal(dropProvisional(bars, nyse, bars.openTime[3]!).dropped, 2);
  assert.equal(dropProvisional(sliceBars(bars, 0, 0), nyse, 0).dropped, 0);
});

test('revisions: only new and changed bars are appended', () => {
  const bars = walkBars(10);
  const stored = { bars: sliceBars(bars, 0, 8), revision: new Int32Array(8).fill(2) };
  const incoming = withRows(bars, { 3: { volume: 1 } });
  const next = newRevisions(stored, incoming);
  assert.deepEqual([...next.positions], [3, 8, 9]);
  assert.deepEqual([...next.revision], [3, 0, 0]);
  assert.equal(next.changed, 1);
  assert.equal(newRevisions({ bars, revision: new Int32Array(10) }, bars).positions.length, 0);
});

test('knownAt: live is the arrival, a backfill is assumed, a correction is known when it came', () => {
  const open = Date.parse('2023-07-24');
  const rules = { timeframe: '1d' as const, calendar: nyse, declaredDelayMs: 60_000 };
  const close = nyse.closeTime(open, '1d');
  const live = close + 3_600_000;
  assert.deepEqual(knownAt(open, live, 0, rules), { at: live, assumed: false });
  const later = close + 90 * 86_400_000;
  assert.deepEqual(knownAt(open, later, 0, rules), { at: close + 31 * 60_000, assumed: true });
  assert.deepEqual(knownAt(open, later, 1, rules), { at: later, assumed: false });
});

test('value is derived unless every row has one', () => {
  const row = { openTime: 0, open: 1, high: 3, low: 1, close: 2, volume: 10 };
  assert.deepEqual(barsFromRows('X', '1d', [row]).value, Float64Array.of(20));
  const given = barsFromRows('X', '1d', [{ ...row, value: 19 }]);
  assert.deepEqual([given.value[0], given.valueDerived], [19, false]);
});
