/** Drift of inputs and forecasts by rank in their own history. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  autoWindow,
  columnsFrom,
  driftTests,
  inputDrift,
  MAX_WINDOWS,
  MIN_WINDOWS,
  predictionDrift,
  REFERENCE_WINDOWS,
  type DriftColumns,
} from '../../../core/drift/index.ts';
import { inputDriftSchema, predictionDriftSchema } from '../../../core/drift/schemas.ts';
import { normals } from '../evaluation/planted.ts';

const DAY_MS = 86_400_000;
const WINDOW = 40;
const WINDOWS = 30;
const ROWS = (REFERENCE_WINDOWS + WINDOWS + 1) * WINDOW;
const NEWEST = ROWS - WINDOW;

/** Ten independent columns; `change` sees each value and whether it lies in the newest window. */
function columnsOf(
  change: (value: number, column: number, newest: boolean, row: number) => number = (x) => x,
  { rows = ROWS, seed = 1, width = 10 } = {},
): DriftColumns {
  const normal = normals(seed);
  const values = Float64Array.from({ length: rows * width }, (_, i) => {
    const row = Math.floor(i / width);
    return change(normal(), i % width, row >= rows - WINDOW, row);
  });
  const names = Array.from({ length: width }, (_, i) => `f${i}`);
  return {
    names,
    rows,
    values,
    openTime: Float64Array.from({ length: rows }, (_, i) => i * DAY_MS),
  };
}
const options = { window: WINDOW };

describe('input drift', () => {
  test('is stored as JSON without NaN', () => {
    const drift = inputDrift(columnsOf(), options);
    assert.deepEqual(inputDriftSchema.parse(JSON.parse(JSON.stringify(drift))), drift);
    assert.equal(drift.earlierWindows, WINDOWS);
    assert.deepEqual(drift.window, {
      rows: WINDOW,
      from: new Date(NEWEST * DAY_MS).toISOString(),
      to: new Date((ROWS - 1) * DAY_MS).toISOString(),
    });
    assert.equal(drift.reference.to, new Date((NEWEST - 1) * DAY_MS).toISOString());
    assert.equal(drift.histories[0]!.earlier.length, WINDOWS);
  });

  test('compares the newest window with the four windows right before it, and an earlier one with its own', () => {
    const columns = columnsOf((x, _, __, row) => x + row / ROWS);
    const { features, histories } = inputDrift(columns, options);
    const rowsOf = (column: number, from: number, to: number): Float64Array =>
      Float64Array.from(
        { length: to - from },
        (_, i) => columns.values[(from + i) * 10 + column]!,
      ).sort();
    const expected = (name: string, column: number, from: number): number =>
      driftTests
        .find((drift) => drift.name === name)!
        .distance(rowsOf(column, from - 4 * WINDOW, from), rowsOf(column, from, from + WINDOW));
    for (const [column, { statistics }] of features.entries()) {
      for (const [name, { value }] of Object.entries(statistics)) {
        assert.ok(Math.abs(value - expected(name, column, NEWEST)) < 1e-5 * Math.max(1, value));
      }
    }
    const [first] = histories;
    const column = columns.names.indexOf(first!.name);
    const oldest = expected(first!.test, column, 4 * WINDOW);
    assert.ok(Math.abs(first!.earlier[0]! - oldest) < 1e-5);
  });

  test('nothing changed: no drift', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      assert.equal(inputDrift(columnsOf(undefined, { seed }), options).verdict, 'none');
    }
  });

  test('many columns moved: drift, and those that moved stand out', () => {
    const moved = columnsOf((x, column, newest) => (newest && column < 4 ? x + 1.5 : x));
    const drift = inputDrift(moved, options);
    assert.equal(drift.verdict, 'drift');
    assert.ok(drift.classifier!.exceeded && drift.share! >= 0.4);
    const top = drift.features.filter((feature) => feature.top).map(({ name }) => name);
    for (const name of ['f0', 'f1', 'f2', 'f3']) assert.ok(top.includes(name), top.join());
    assert.equal(drift.features[0]!.p, 1 / (WINDOWS + 1));
    assert.ok(['f0', 'f1', 'f2', 'f3'].includes(drift.histories[0]!.name));
  });

  test('one column moved: it stands out, but that is not drift of the inputs', () => {
    const drift = inputDrift(
      columnsOf((x, column, newest) => (newest && column === 3 ? x + 3 : x)),
      options,
    );
    assert.equal(drift.verdict, 'none');
    assert.ok(drift.features[3]!.top);
    assert.ok(drift.classifier!.exceeded, 'the classifier sees it, the share of features does not');
  });

  test('a spread that doubles is a change too, and a copula that breaks is for the classifier', () => {
    const wider = columnsOf((x, column, newest) => (newest && column < 5 ? 3 * x : x));
    assert.ok(inputDrift(wider, options).share! >= 0.4);
  });

  test('what always changes is no drift: only what is unusual for this model', () => {
    // Each window has a level of its own, the newest like the others.
    const levels = normals(9);
    const level = new Map<number, number>();
    const restless = columnsOf((x, column, _, row) => {
      const key = Math.floor(row / WINDOW) * 100 + column;
      if (!level.has(key)) level.set(key, 2 * levels());
      return x + level.get(key)!;
    });
    const drift = inputDrift(restless, options);
    assert.equal(drift.verdict, 'none');
    // A textbook test would reject: the distance alone is huge.
    assert.ok(drift.features.some((feature) => feature.statistics['ks']!.value > 0.4));
  });

  test('24 earlier windows are needed', () => {
    const rows = (REFERENCE_WINDOWS + MIN_WINDOWS + 1) * WINDOW;
    assert.notEqual(
      inputDrift(columnsOf(undefined, { rows }), options).verdict,
      'notEnoughHistory',
    );
    const fewer = inputDrift(columnsOf(undefined, { rows: rows - 1 }), options);
    assert.equal(fewer.verdict, 'notEnoughHistory');
    assert.deepEqual([fewer.earlierWindows, fewer.share, fewer.features.length], [23, null, 0]);
    assert.equal(inputDrift(columnsOf(undefined, { rows: 10 }), options).earlierWindows, 0);
    assert.throws(() => inputDrift(columnsOf(), { window: 1 }), { code: 'drift.window' });
  });

  test('rows older than 40 windows and their reference are not read', () => {
    const rows = (REFERENCE_WINDOWS + MAX_WINDOWS + 1) * WINDOW;
    const long = columnsOf(undefined, { rows: rows + 100 });
    const cut = {
      ...long,
      rows,
      openTime: long.openTime.subarray(100),
      values: long.values.subarray(100 * long.names.length),
    };
    assert.deepEqual(inputDrift(long, options), inputDrift(cut, options));
  });

  test('level columns are compared relative to the close', () => {
    // The price doubles in the newest window; the column is 1 % above it, as it always was.
    const close = Float64Array.from({ length: ROWS }, (_, row) => (row >= NEWEST ? 200 : 100));
    const columns = columnsOf((x, column, _, row) =>
      column === 0 ? close[row]! * (1.01 + 0.001 * x) : x,
    );
    const levels = new Set(['f0']);
    assert.ok(inputDrift(columns, options).features[0]!.top);
    assert.ok(!inputDrift(columns, { ...options, close, levels }).features[0]!.top);
    assert.throws(() => inputDrift(columns, { ...options, levels }), { code: 'drift.close' });
  });

  test('few different values are categories; declared ones need not be few', () => {
    const columns = columnsOf((x, column, newest) => {
      if (column === 0) return newest ? 1 : Math.round(x);
      return column === 1 ? Math.round(10 * x) : x;
    });
    const found = inputDrift(columns, options).features;
    assert.deepEqual(
      found
        .slice(0, 3)
        .map(({ kind, statistics }) => [kind, Object.keys(statistics).sort().join()]),
      [
        ['categorical', 'chi-square'],
        ['numeric', 'ks,psi,wasserstein'],
        ['numeric', 'ks,psi,wasserstein'],
      ],
    );
    assert.ok(found[0]!.top);
    const declared = inputDrift(columns, { ...options, categorical: new Set(['f1']) });
    assert.deepEqual(
      declared.features.slice(0, 2).map(({ kind }) => kind),
      ['numeric', 'categorical'],
    );
    assert.equal(declared.classifier!.columns, 9);
  });

  test('missing values are left out and told; a column with none in some window is not judged', () => {
    const holed = columnsOf((x, column, newest, row) => {
      if (column === 0 && newest && row % 2 === 0) return NaN;
      return column === 1 && row < NEWEST - 10 * WINDOW ? NaN : x;
    });
    const { features, classifier } = inputDrift(holed, options);
    assert.equal(features[0]!.missing, 0.5);
    assert.ok(features[0]!.p !== null);
    assert.equal(features[1]!.p, null);
    assert.equal(classifier!.columns, 9);
  });

  test('single features are flagged only where the windows suffice for one alone', () => {
    const change = (x: number, column: number, newest: boolean): number =>
      newest && column === 0 ? x + 5 : x;
    const many = inputDrift(columnsOf(change), options);
    assert.deepEqual(
      [many.correction.applied, many.correction.windowsNeeded, many.features[0]!.flagged],
      [false, 100, null],
    );
    const few = inputDrift(columnsOf(change, { width: 3 }), options);
    assert.ok(few.correction.applied);
    assert.deepEqual(
      few.features.map(({ flagged }) => flagged),
      [true, false, false],
    );
  });

  test('the classifier may be left out where it cannot change the verdict', () => {
    const lazy = inputDrift(columnsOf(), { ...options, classifier: 'whenNeeded' });
    assert.deepEqual([lazy.verdict, lazy.classifier], ['none', null]);
  });
});

test('drift of forecasts: all horizons together, one p', () => {
  const horizons = (shift: number): DriftColumns => ({
    ...columnsOf((x, _, newest) => (newest ? x + shift : x), { width: 3 }),
    names: ['h=1', 'h=7', 'h=30'],
  });
  const [calm, moved] = [0, 2].map((shift) => predictionDrift(horizons(shift), options));
  assert.deepEqual([calm!.verdict, moved!.verdict], ['none', 'drift']);
  assert.ok(moved!.p! < 0.05 && calm!.p! > 0.05);
  assert.deepEqual(
    moved!.horizons.map(({ name, kind }) => `${name} ${kind}`),
    ['h=1 numeric', 'h=7 numeric', 'h=30 numeric'],
  );
  assert.deepEqual(predictionDriftSchema.parse(JSON.parse(JSON.stringify(moved))), moved);
  const short = { ...horizons(0), rows: 100 };
  assert.equal(predictionDrift(short, options).verdict, 'notEnoughHistory');
});

test('a constant forecast never drifts, however many horizons', () => {
  const constant = { ...columnsOf(() => 0.01, { width: 2 }), names: ['h=1', 'h=7'] };
  assert.deepEqual([predictionDrift(constant, options).verdict], ['none']);
});

test('the window: a month where there is history for it, less where there is not', () => {
  assert.equal(autoWindow(40_000, 720), 720);
  assert.equal(autoWindow(5_000, 720), Math.floor(5_000 / 29));
  assert.equal(autoWindow(29 * 20, 720), 20);
  assert.equal(autoWindow(29 * 20 - 1, 720), null);
});

test('columns of a feature matrix start where all are warm', () => {
  const matrix = {
    names: ['a', 'b'],
    rows: 3,
    openTime: Float64Array.of(1, 2, 3),
    values: Float64Array.of(NaN, 1, 2, 3, 4, 5),
    firstWarmRow: 1,
  };
  const { rows, values, openTime } = columnsFrom(matrix);
  assert.deepEqual([rows, [...openTime], [...values]], [2, [2, 3], [2, 3, 4, 5]]);
});
