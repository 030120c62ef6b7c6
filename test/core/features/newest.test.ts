import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barCount, type Bars, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  buildFeatures,
  declaredFeatureSet,
  type FeatureSet,
  featureSetOrThrow,
  newestRows,
} from '../../../core/features/index.ts';
import type { IndicatorInput } from '../../../core/indicators/index.ts';
import { nasdaq, sp500, walkBars } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const nyse = calendarFor('nyse');
const set = featureSetOrThrow('technical-152');
const LOOKBACK = 60;

const lastRows = (of: FeatureSet, bars: Bars, rows: number, calendar = nyse): Float64Array =>
  buildFeatures(of, bars, calendar).values.slice((barCount(bars) - rows) * of.names.length);

function same(of: FeatureSet, bars: Bars, rows: number, calendar = nyse): void {
  const expected = lastRows(of, bars, rows, calendar);
  const made = newestRows(of, bars, calendar, rows);
  assert.equal(made.length, expected.length);
  const at = made.findIndex((value, i) => !Object.is(value, expected[i]));
  assert.equal(at, -1, `${of.names[at % of.names.length]} of ${barCount(bars)} bars`);
  // A window belongs to whoever asked for it: what becomes of it is not seen in the next.
  made.fill(7);
}

test('windows of bars that come one by one have the bits of a whole build, for instruments by turns', () => {
  const needed = (bars: Bars, last: number): Bars => {
    const count = set.barsNeeded(bars.openTime[last]!, LOOKBACK, nyse, '1d');
    return sliceBars(bars, last + 1 - count, last + 1);
  };
  const [one, other] = [sp500(), { ...nasdaq(), instrument: '^IXIC' }];
  // Past two anchors, and past the room that is left for later bars.
  for (let last = 1000; last < 1700; last += last % 90 === 0 ? 5 : 1) {
    same(set, needed(one, last), LOOKBACK);
    if (last % 7 === 0) same(set, needed(other, last), LOOKBACK);
  }
});

test('bars that were corrected, older ones and those of another name are computed anew', () => {
  const bars = sliceBars(sp500(), 0, 800);
  same(set, bars, LOOKBACK);
  for (const name of ['open', 'high', 'low', 'close', 'volume', 'openTime'] as const) {
    for (const at of [3, 600, 799]) {
      const column = Float64Array.from(bars[name]);
      column[at] = name === 'openTime' ? column[at]! + 1 : column[at]! * 1.001;
      same(set, { ...bars, [name]: column }, LOOKBACK);
      same(set, bars, LOOKBACK);
    }
  }
  same(set, sliceBars(bars, 0, 700), LOOKBACK);
  same(set, sliceBars(bars, 150, 801), LOOKBACK);
  same(set, { ...bars, instrument: 'other' }, LOOKBACK);
  same(set, walkBars(bars.openTime, 8), 300);
});

test('a history that begins later than what is kept, and does not reach its anchor, stands for itself', () => {
  const bars = sliceBars(sp500(), 0, 500);
  same(set, bars, LOOKBACK);
  for (const start of [3, 40, 230]) same(set, sliceBars(bars, start), LOOKBACK);
});

test('columns of exogenous sources are compared as well', () => {
  const declared = declaredFeatureSet([
    { indicator: 'exogenous', column: 'macro.close', period: 40 },
    { indicator: 'logReturn' },
  ]);
  const bars = sliceBars(sp500(), 0, 300);
  const macro = (factor: number): Bars => ({
    ...bars,
    exogenous: { 'macro.close': bars.close.map((c, t) => (t % 20 === 3 ? c * factor : NaN)) },
  });
  for (const given of [macro(1), macro(2), bars, macro(1)]) same(declared, given, 30);
});

test('more instruments than are kept, in any order', () => {
  const times = sliceBars(sp500(), 0, 700).openTime;
  const uniform = seededUniform(3);
  const many = Array.from({ length: 15 }, (_, i) => walkBars(times, i + 1));
  for (let k = 0; k < 60; k++) {
    const bars = many[Math.floor(uniform() * many.length)]!;
    same(set, sliceBars(bars, 0, 600 + k), LOOKBACK);
  }
});

test('bars whose columns could not be computed are computed again, not taken for known', () => {
  const base = declaredFeatureSet([{ indicator: 'logReturn' }]);
  let fails = false;
  const columns = base.columns.map((column) => ({
    ...column,
    use: {
      ...column.use,
      compute: (input: IndicatorInput) => {
        input.positions.run(() => assert.ok(!fails, 'a step that throws'));
        return column.use.compute(input);
      },
    },
  }));
  const failing: FeatureSet = { ...base, columns };
  const bars = sliceBars(sp500(), 0, 410);
  same(failing, sliceBars(bars, 0, 400), 30);
  fails = true;
  assert.throws(() => newestRows(failing, bars, nyse, 30), /a step that throws/);
  fails = false;
  same(failing, bars, 30);
});

test('columns of bars that are not asked for any more are kept no longer', () => {
  const base = declaredFeatureSet([{ indicator: 'logReturn' }]);
  let made = 0;
  const counting = (): FeatureSet => ({
    ...base,
    columns: base.columns.map((column) => ({
      ...column,
      use: {
        ...column.use,
        compute: (input: IndicatorInput) => {
          input.positions.run((from, to) => void (made += to - from));
          return column.use.compute(input);
        },
      },
    })),
  });
  const [left, used] = [counting(), counting()];
  const bars = sliceBars(sp500(), 0, 300);
  const rowsMade = (of: FeatureSet): number => {
    made = 0;
    newestRows(of, bars, nyse, 5);
    return made;
  };
  assert.equal(rowsMade(left), 300);
  assert.equal(rowsMade(left), 0, 'kept');
  for (let k = 0; k < 1001; k++) newestRows(used, bars, nyse, 5);
  assert.equal(rowsMade(used), 0, 'kept');
  assert.equal(rowsMade(left), 300);
});
