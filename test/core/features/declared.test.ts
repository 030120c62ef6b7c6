import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  buildFeatures,
  columnSchema,
  completeEntry,
  declaredFeatureSet,
  featureSetOf,
  featureSetOrThrow,
  packagedFeatureSet,
  packagedFeatureSetOrThrow,
} from '../../../core/features/index.ts';
import { indicators } from '../../../core/indicators/index.ts';
import { sp500 } from '../../support/example-bars.ts';

const calendar = calendarFor('nyse');

test('a column is named by its indicator, parameters, units, window and lag', () => {
  const set = declaredFeatureSet([
    { indicator: 'rsi', period: 14 },
    { indicator: 'rsi', period: 7, lags: [0, 1, 24] },
    { indicator: 'bollinger', output: 'width' },
    { indicator: 'sma', period: 20, overClose: true },
    { indicator: 'logReturn', rolling: { statistic: 'zScore', period: 20 }, lags: [2] },
    { indicator: 'sessionDate', output: 'weekdaySin' },
    { indicator: 'priceRatio', of: 'high', over: 'close', name: 'my_high', lags: [0, 3] },
  ]);
  assert.deepEqual(set.names, [
    'rsi_14',
    'rsi_7',
    'rsi_7_lag_1',
    'rsi_7_lag_24',
    'bollinger_20_width',
    'sma_20_close_over_close',
    'log_return_1_z_score_20_lag_2',
    'session_date_weekday_sin',
    'my_high',
    'my_high_lag_3',
  ]);
  assert.match(set.name, /^columns-[0-9a-f]{12}$/);
});

test('columns are those of the catalogue, lagged, windowed and over the close', () => {
  const set = declaredFeatureSet([
    { indicator: 'sma', period: 50 },
    { indicator: 'sma', period: 50, overClose: true, lags: [0, 4] },
    { indicator: 'logReturn', rolling: { statistic: 'mean', period: 10 } },
    { indicator: 'logReturn', rolling: { statistic: 'sd', period: 10 } },
    { indicator: 'volatility', period: 10 },
    { indicator: 'logReturn', bars: 10 },
  ]);
  const bars = sp500();
  const { values } = buildFeatures(set, bars, calendar);
  const at = (row: number, column: number): number => values[row * set.names.length + column]!;
  for (const row of [200, 1000, 4000]) {
    assert.equal(at(row, 1), at(row, 0) / bars.close[row]!);
    assert.equal(at(row, 2), at(row - 4, 1));
    assert.ok(Math.abs(at(row, 3) - at(row, 6) / 10) < 1e-15);
    assert.equal(at(row, 4), at(row, 5), 'the SD of log returns is the volatility');
  }
});

test('equal declarations give equal hashes; order, names, parameters and windows change them', () => {
  const base = [{ indicator: 'rsi' }, { indicator: 'ema', period: 20 }];
  const { hash } = declaredFeatureSet(base);
  assert.equal(declaredFeatureSet(base.map(completeEntry)).hash, hash);
  assert.equal(declaredFeatureSet([{ indicator: 'rsi', period: 14 }, base[1]!]).hash, hash);
  for (const other of [
    base.toReversed(),
    [{ indicator: 'rsi', period: 7 }, base[1]!],
    [{ indicator: 'rsi', name: 'strength' }, base[1]!],
    [base[0]!, { ...base[1]!, overClose: true as const }],
    [base[0]!, { ...base[1]!, lags: [1] }],
    [base[0]!, { ...base[1]!, rolling: { statistic: 'min' as const, period: 5 } }],
    base.slice(0, 1),
  ]) {
    assert.notEqual(declaredFeatureSet(other).hash, hash, JSON.stringify(other));
  }
});

test('what cannot be a set is refused', () => {
  const refused = (columns: Parameters<typeof declaredFeatureSet>[0], code: string) =>
    assert.throws(() => declaredFeatureSet(columns), { code });
  refused([{ indicator: 'rsj' }], 'features.unknownIndicator');
  refused([{ indicator: 'rsi' }, { indicator: 'rsi', period: 14 }], 'features.duplicate');
  refused([{ indicator: 'logReturn', bars: 10_001 }], 'features.tooLong');
  const lags = Array.from({ length: 64 }, (_, k) => k);
  const many = Array.from({ length: 9 }, (_, k) => ({ indicator: 'logReturn', bars: k + 1, lags }));
  refused(many, 'features.tooManyColumns');
  assert.equal(declaredFeatureSet(many.slice(0, 8)).names.length, 512);
  assert.throws(() => declaredFeatureSet([{ indicator: 'rsi', perod: 14 }]), { name: 'ZodError' });
});

test('a list may hold whole sets, beside columns of its own', () => {
  const set = declaredFeatureSet([
    { set: 'daily-22', levels: 'raw' },
    { indicator: 'logReturn', lags: [1] },
  ]);
  assert.deepEqual(set.names, [...featureSetOrThrow('daily-22-raw').names, 'log_return_1_lag_1']);
  const relative = declaredFeatureSet([{ set: 'daily-22' }, { indicator: 'logReturn', lags: [1] }]);
  assert.notEqual(relative.hash, set.hash);
  assert.equal(declaredFeatureSet([{ set: 'daily-22', levels: 'relative' }]).names.length, 22);
  assert.throws(() => declaredFeatureSet([{ set: 'daily-23' }]), { code: 'features.unknown' });
  assert.throws(() => declaredFeatureSet([{ set: 'daily-22' }, { set: 'crypto-46' }]), {
    code: 'features.duplicate',
  });
});

test('a column of an exogenous source: its newest value for so many bars, nothing before it was known', () => {
  const bars = sp500();
  const column = new Float64Array(bars.openTime.length).fill(NaN);
  for (let t = 10; t < column.length; t += 21) column[t] = t;
  const set = declaredFeatureSet([
    { indicator: 'exogenous', column: 'macro.close', period: 21 },
    { indicator: 'exogenous', column: 'macro.close', otherwise: 0 },
    { indicator: 'exogenous', column: 'news.value', otherwise: 0.5 },
  ]);
  const { values } = buildFeatures(
    set,
    { ...bars, exogenous: { 'macro.close': column } },
    calendar,
  );
  const at = (row: number): number[] => [...values.subarray(row * 3, row * 3 + 3)];
  assert.deepEqual(at(31), [31, 31, 0.5]);
  assert.deepEqual(at(30), [10, 0, 0.5]);
  assert.deepEqual(at(9), [NaN, 0, 0.5]);
  assert.deepEqual(set.names[0], 'exogenous_macro_close_21');
});

test('no indicator has a parameter that a declaration keeps for itself', () => {
  const own = new Set(Object.keys(columnSchema.shape));
  for (const indicator of indicators.values()) {
    const { params } = completeParams(indicator.name);
    const taken = Object.keys(params).filter((name) => own.has(name));
    assert.deepEqual(taken, [], indicator.name);
  }
});

function completeParams(name: string): { params: object } {
  const { shape } = indicators.get(name)!.params as unknown as { shape: object };
  return { params: shape };
}

test('a package brings its columns; other code than it was trained with is not taken for it', () => {
  const featureColumns = [{ indicator: 'rsi', period: 14 }];
  const set = featureSetOf({ columns: featureColumns });
  const stored = { featureSet: set.name, featureHash: set.hash, featureColumns };
  const read: typeof stored = JSON.parse(JSON.stringify(stored));
  assert.equal(packagedFeatureSetOrThrow(read).hash, set.hash);
  assert.equal(packagedFeatureSet(read)?.hash, set.hash);
  assert.equal(packagedFeatureSetOrThrow(read), packagedFeatureSetOrThrow(read), 'made once');
  assert.equal(packagedFeatureSet({ ...read, featureHash: '0'.repeat(64) }), undefined);
  const gone = [{ indicator: 'vanished' }];
  assert.equal(packagedFeatureSet({ ...read, featureColumns: gone }), undefined);
  const other = [{ indicator: 'rsi', window: 14 }];
  assert.equal(packagedFeatureSet({ ...read, featureColumns: other }), undefined);
  const crypto = featureSetOrThrow('crypto-46-raw');
  const named = { featureSet: crypto.name, featureHash: crypto.hash };
  assert.equal(packagedFeatureSet(named), crypto);
  assert.equal(packagedFeatureSet({ ...named, featureSet: 'crypto-46-relative' }), undefined);
  assert.equal(packagedFeatureSet({ ...named, featureSet: 'crypto-46' }), undefined);
});
