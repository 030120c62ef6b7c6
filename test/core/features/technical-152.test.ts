import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Bars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow } from '../../../core/features/index.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';

interface Golden {
  readonly firstIndex: number;
  readonly firstDate: string;
  readonly bars: number;
  readonly rows: readonly number[];
  /** null: not warm yet. */
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
}

const set = featureSetOrThrow('technical-152');
const calendar = calendarFor('nyse');

const readGolden = (name: string): Golden =>
  JSON.parse(
    readFileSync(new URL(`../../golden/technical-152.${name}.json`, import.meta.url), 'utf8'),
  ) as Golden;

for (const [name, read] of [
  ['sp500', sp500],
  ['nasdaq', nasdaq],
] as const) {
  test(`all 152 columns of ${name} equal TA-Lib and the generator within 1e-9`, () => {
    const bars = read();
    const golden = readGolden(name);
    assert.equal(bars.openTime.length, golden.bars);
    assert.equal(calendar.indexOf(bars.openTime[0]!, '1d'), golden.firstIndex);
    const matrix = buildFeatures(set, bars, calendar);
    assert.deepEqual([...Object.keys(golden.columns)].sort(), [...set.names].sort());
    const wrong: string[] = [];
    for (const [column, feature] of set.names.entries()) {
      for (const [i, row] of golden.rows.entries()) {
        const expected = golden.columns[feature]![i]!;
        const actual = matrix.values[row * set.names.length + column]!;
        if (expected === null && Number.isNaN(actual)) continue;
        const difference = expected === null ? Infinity : Math.abs(actual - expected);
        if (!(difference <= 1e-9 * Math.max(1, Math.abs(expected ?? 0)))) {
          wrong.push(`${feature} row ${row}: ${actual} instead of ${expected}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });

  test(`${name}: every value is finite after 200 rows and no two columns are one`, () => {
    const matrix = buildFeatures(set, read(), calendar);
    const width = set.names.length;
    const firstBad = matrix.values.findIndex((v, at) => at >= 200 * width && !Number.isFinite(v));
    assert.equal(
      firstBad,
      -1,
      `${set.names[firstBad % width]} row ${Math.floor(firstBad / width)}`,
    );
    assert.deepEqual(duplicates(matrix.values, width), []);
  });
}

/** Pairs of columns with |correlation| > 0.999 after 200 rows. */
function duplicates(values: Float64Array, width: number): string[] {
  const rows = values.length / width - 200;
  const columns = set.names.map((_, c) => {
    const column = Float64Array.from({ length: rows }, (__, i) => values[(i + 200) * width + c]!);
    const mean = column.reduce((sum, v) => sum + v, 0) / rows;
    const centred = column.map((v) => v - mean);
    const norm = Math.sqrt(centred.reduce((sum, v) => sum + v * v, 0));
    return centred.map((v) => v / norm);
  });
  const found: string[] = [];
  for (let a = 0; a < width; a++) {
    for (let b = 0; b < a; b++) {
      let dot = 0;
      for (let i = 0; i < rows; i++) dot += columns[a]![i]! * columns[b]![i]!;
      if (Math.abs(dot) > 0.999) found.push(`${set.names[a]} ${set.names[b]}`);
    }
  }
  return found;
}

test('the set has 28 families, 152 names, a hash that names and parameters change, W = 199', () => {
  assert.equal(set.names.length, 152);
  assert.equal(new Set(set.names).size, 152);
  assert.equal(new Set(set.columns.map((column) => column.family)).size, 28);
  assert.equal(set.warmupBars, 199);
  assert.equal(set.rowsBeforeWindow(60), 258);
  assert.equal(
    set.hash,
    '5a95768ca86d8dc949d88627a0acff5766430f5c0635122528776250883b10e5',
    'definitions changed: raise the version in technical-152.ts, then this line',
  );
});

test('neutral values: bars that never move give the value that the table says', () => {
  const flat = sp500();
  const still = (value: number): Float64Array => new Float64Array(500).fill(value);
  const bars: Bars = {
    ...flat,
    openTime: flat.openTime.slice(0, 500),
    open: still(10.1),
    high: still(10.1),
    low: still(10.1),
    close: still(10.1),
    volume: still(0),
    value: still(0),
  };
  const matrix = buildFeatures(set, bars, calendar);
  const at = (name: string): number => matrix.values[499 * 152 + set.names.indexOf(name)]!;
  const half = ['rsi_2', 'rsi_14', 'stoch_k_5', 'stoch_d_14_3', 'stoch_rsi_14', 'mfi_14'];
  half.push('ultimate_7_14_28', 'bb_position_20', 'donchian_position_200');
  for (const name of half) assert.ok(Math.abs(at(name) - 0.5) < 1e-15, name);
  for (const name of ['vortex_plus_14', 'vortex_minus_14', 'volatility_ratio_5_20']) {
    assert.equal(at(name), 1, name);
  }
  const zero = ['body_ratio', 'cci_14', 'cmo_20', 'adx_14', 'plus_di_14', 'choppiness_14'];
  zero.push('efficiency_60', 'keltner_position_20', 'vol_of_vol_20', 'trend_r2_20', 'skew_20');
  zero.push('trend_residual_20', 'volume_sma_5_to_20', 'obv_flow_20', 'cmf_60', 'volume_cv_20');
  zero.push('close_to_vwap_20', 'corr_ret_dvolume_20', 'kurtosis_60', 'autocorr_1_60', 'force_13');
  for (const name of zero) assert.equal(Math.abs(at(name)), 0, name);
  assert.equal(at('volume_to_sma_20'), Math.log(2));
  assert.ok(matrix.values.subarray(199 * 152).every(Number.isFinite));
});
