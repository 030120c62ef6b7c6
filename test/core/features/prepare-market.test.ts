import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { takeBars } from '../../../core/bars/build.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { type PreparePlan, prepareUnit } from '../../../core/features/prepare.ts';
import { decodePrepared, encodePrepared, samplesOf } from '../../../core/features/prepared.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';

const plan: PreparePlan = {
  set: featureSetOrThrow('technical-152'),
  lookback: 4,
  label: { kind: 'threeClass', horizons: [1], by: 'volatility', k: 0.5, window: 20, floor: 0 },
  split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
  scaling: { features: 'standard', labels: 'none' },
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  missing: 'ffill',
  market: true,
};
const bars = sliceBars(sp500(), 0, 900);

test('the market of a pool stands by row, with a position for each class', () => {
  const other = sliceBars(nasdaq(), 100, 900);
  const { prepared } = prepareUnit(plan, [bars, other]);
  const { market } = samplesOf(prepared, prepared.split.train);
  assert.ok(market);
  assert.deepEqual([...market.open], [...bars.open, ...other.open]);
  assert.deepEqual([...market.close], [...bars.close, ...other.close]);
  assert.deepEqual(market.positions, [-1, 0, 1]);
  assert.deepEqual(
    market.instruments.map(({ from, to }) => to - from),
    [900, 800],
  );
  assert.deepEqual(decodePrepared(encodePrepared(prepared)), prepared);
});

test('where no bar was recorded nobody can trade', () => {
  const gone = 600;
  const holed = takeBars(
    bars,
    [...bars.openTime.keys()].filter((row) => row !== gone),
  );
  const { prepared } = prepareUnit(plan, [holed]);
  const { market } = samplesOf(prepared, prepared.split.train);
  const row = prepared.openTime.indexOf(bars.openTime[gone]!);
  assert.ok(row > 0 && Number.isFinite(market!.close[row]!), 'a close was invented for features');
  assert.ok(Number.isNaN(market!.open[row]!));
  assert.equal(market!.open[row + 1], bars.open[gone + 1]);
});

test('without a family that asks for it there is none', () => {
  const { prepared } = prepareUnit({ ...plan, market: false }, [bars]);
  assert.equal(samplesOf(prepared, prepared.split.train).market, undefined);
  const { prepared: asked } = prepareUnit(plan, [bars]);
  const { open: _open, ...rest } = asked;
  assert.deepEqual(rest, prepared);
});
