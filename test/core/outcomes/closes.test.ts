import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  adjustBars,
  mergeSources,
  sliceBars,
  takeBars,
  type Bars,
} from '../../../core/bars/index.ts';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';
import {
  changedSteps,
  isRevised,
  mergeCloses,
  outcomeOf,
  type SourceCloses,
} from '../../../core/outcomes/index.ts';
import { walkBars, withRows } from '../../support/made-bars.ts';

const bars = walkBars(40);
const at = (row: number): number => bars.openTime[row]!;
/** A 4:1 split in bar 10, a dividend in bar 20, a split after the last bar. */
const factors = [
  { effectiveFrom: at(10), priceFactor: 0.25 * 0.98, splitFactor: 0.25 },
  { effectiveFrom: at(20), priceFactor: 0.98, splitFactor: 1 },
  { effectiveFrom: Date.UTC(2050, 0, 1), priceFactor: 1, splitFactor: 1 },
];

const source = (own: Bars, change: Partial<SourceCloses> = {}): SourceCloses => ({
  role: 'primary',
  bars: own,
  knownAt: own.openTime.map((time) => time + 1),
  factors: [],
  ...change,
});
const scale = { label: regressionLabelOrThrow('forwardReturn'), variance: 1, costOfSide: 0 };
const forecast = (asOf: number, targetTime: number) => ({
  ...{ horizon: 1, asOf, targetTime, change: 0, interval: null, position: 1 },
});

test('a split and a dividend between the two bars are no change of price', () => {
  const closes = mergeCloses([source(bars, { factors })]);
  const changeOf = (from: number, to: number) =>
    outcomeOf(forecast(at(from), at(to)), closes, scale)!;
  const raw = (from: number, to: number): number => bars.close[to]! / bars.close[from]! - 1;
  assert.ok(Math.abs(changeOf(2, 8).actualChange - raw(2, 8)) < 1e-12, 'before both');
  assert.ok(Math.abs(changeOf(25, 39).actualChange - raw(25, 39)) < 1e-12, 'after both');
  const split = changeOf(8, 12);
  assert.ok(Math.abs(1 + split.actualChange - (1 + raw(8, 12)) * 4) < 1e-12);
  assert.equal(split.actualClose, bars.close[12]!);
  assert.ok(Math.abs(split.lastClose - bars.close[8]! / 4) < 1e-12, 'as of the target bar');
  const dividend = changeOf(15, 25);
  assert.ok(Math.abs(1 + dividend.actualChange - (1 + raw(15, 25)) / 0.98) < 1e-12);
});

test('the same closes as training and serving read: primaries first, fallbacks in their holes', () => {
  const holes = takeBars(
    bars,
    [...bars.openTime.keys()].filter((i) => i % 5 !== 0),
  );
  const other = withRows(bars, { 5: { close: 77 }, 6: { close: 66 } });
  const sources = [
    source(sliceBars(other, 3), { role: 'fallback' }),
    source(holes, { factors }),
    source(withRows(bars, { 0: { close: 1 } }), { role: 'exogenous' }),
  ];
  const merged = mergeSources(
    sources.map(({ role, bars: own, factors: f }, i) => {
      return { name: `s${i}`, role, bars: adjustBars(own, f, own.openTime.at(-1)) };
    }),
  )!;
  const closes = mergeCloses(sources);
  assert.deepEqual(closes.openTime, merged.bars.openTime);
  assert.deepEqual(closes.adjusted, merged.bars.close);
  assert.equal(closes.adjusted[closes.openTime.indexOf(at(5))], 77);
});

test('known when the later of the two bars was known', () => {
  const knownAt = bars.openTime.map((time, i) => (i === 3 ? at(30) : time));
  const closes = mergeCloses([source(bars, { knownAt })]);
  const knownOf = (from: number, to: number) =>
    outcomeOf(forecast(at(from), at(to)), closes, scale)!.knownAt;
  assert.deepEqual([knownOf(3, 5), knownOf(4, 5)], [at(30), at(5)]);
});

test('a vintage on another scale revises nothing, another close does', () => {
  const change = (own: Bars) =>
    outcomeOf(forecast(at(3), at(7)), mergeCloses([source(own)]), scale)!;
  const rescaled = { ...bars, close: bars.close.map((close) => Number((close * 0.9).toFixed(6))) };
  assert.equal(isRevised(change(bars), change(rescaled)), false);
  const corrected = withRows(bars, { 7: { close: bars.close[7]! * 1.0001 } });
  assert.equal(isRevised(change(bars), change(corrected)), true);
});

test('a new dividend is one step, however many rows it rescales', () => {
  assert.deepEqual(changedSteps(factors, factors), []);
  const later = [
    ...factors.slice(0, 2).map((row) => ({ ...row, priceFactor: row.priceFactor * 0.97 })),
    { effectiveFrom: at(30), priceFactor: 0.97, splitFactor: 1 },
    factors[2]!,
  ];
  assert.deepEqual(changedSteps(factors, later), [at(30)]);
  assert.deepEqual(changedSteps([], factors), [at(10), at(20)]);
  const moved = [factors[0]!, { ...factors[1]!, effectiveFrom: at(21) }, factors[2]!];
  assert.deepEqual(changedSteps(factors, moved), [at(20), at(21)]);
});
