import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildFeatures, featureSetOrThrow } from '../../../core/features/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  dissimilarityOf,
  fitOutlierReference,
  type TrainingRows,
} from '../../../core/predict/index.ts';
import { pointSearch } from '../../../core/predict/nearest-point.ts';
import { seeded, walkBars } from '../../support/made-bars.ts';

const breathe = async (): Promise<void> => {};
const HOUR = 3_600_000;

/** Rows of independent uniform numbers, one an hour. */
function uniformRows(count: number, width: number, seed = 1): TrainingRows {
  const random = seeded(seed);
  return {
    features: Float64Array.from({ length: count * width }, () => 3 + 2 * random()),
    featureCount: width,
    rows: Int32Array.from({ length: count }, (_, i) => i),
    openTime: Float64Array.from({ length: count }, (_, i) => i * HOUR),
    lookback: 1,
  };
}

const rowOf = ({ features, featureCount }: TrainingRows, row: number): Float64Array =>
  features.slice(row * featureCount, (row + 1) * featureCount);

async function fitted(training: TrainingRows) {
  const reference = await fitOutlierReference(training, breathe);
  assert.ok(reference);
  return reference;
}

/** The definition, without early exits, float32 or memory of the last request. */
function byDefinition(training: TrainingRows, apart: number): { threshold: number; z: number[][] } {
  const rows = [...training.rows].map((row) => [...rowOf(training, row)]);
  const width = training.featureCount;
  const mean = Array.from({ length: width }, (_, c) => {
    return rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length;
  });
  const sd = mean.map((m, c) =>
    Math.sqrt(rows.reduce((sum, row) => sum + (row[c]! - m) ** 2, 0) / rows.length),
  );
  const z = rows.map((row) => row.map((value, c) => (value - mean[c]!) / sd[c]!));
  const nearest = z.map((row, i) =>
    Math.min(
      ...z.flatMap((other, j) =>
        Math.abs(i - j) < apart ? [] : [Math.hypot(...row.map((v, c) => v - other[c]!))],
      ),
    ),
  );
  const sorted = nearest.toSorted((a, b) => a - b);
  return { threshold: sorted[Math.ceil(0.95 * sorted.length) - 1]!, z };
}

test('up to 2,000 rows all are points, and threshold and index are those of the definition', async () => {
  const training = uniformRows(400, 9);
  const reference = await fitted(training);
  assert.equal(reference.points.length, 400 * 9);
  assert.equal(reference.apartBars, 100);
  assert.equal(reference.trainRows, 400);
  const { threshold, z } = byDefinition(training, 100);
  assert.ok(Math.abs(reference.threshold / threshold - 1) < 1e-6);
  const fresh = uniformRows(50, 9, 2);
  for (let i = 0; i < 50; i++) {
    const row = rowOf(fresh, i);
    const own = row.map((v, c) => (v - reference.offset[c]!) * reference.factor[c]!);
    const want = Math.min(...z.map((other) => Math.hypot(...other.map((v, c) => v - own[c]!))));
    const index = dissimilarityOf(reference, row);
    assert.ok(Math.abs(index / (want / threshold) - 1) < 1e-5, `row ${i}: ${index}`);
  }
});

test('a training row has index 0, and the answer does not depend on what was asked before', async () => {
  const training = uniformRows(300, 12);
  const reference = await fitted(training);
  for (const row of [0, 150, 299]) {
    assert.ok(dissimilarityOf(reference, rowOf(training, row)) < 1e-5);
  }
  const fresh = uniformRows(20, 12, 3);
  const forwards = Array.from({ length: 20 }, (_, i) =>
    dissimilarityOf(reference, rowOf(fresh, i)),
  );
  const backwards = Array.from({ length: 20 }, (_, i) =>
    dissimilarityOf(reference, rowOf(fresh, 19 - i)),
  );
  assert.deepEqual(forwards, backwards.reverse());
});

test('one feature far outside makes an outlier; a feature that never changed does not count', async () => {
  const training = uniformRows(300, 10);
  for (let row = 0; row < 300; row++) training.features[row * 10 + 4] = 0.1;
  const reference = await fitted(training);
  assert.equal(reference.factor[4], 0);
  const row = rowOf(training, 7);
  assert.ok(dissimilarityOf(reference, row.with(4, 1e6)) < 1e-5);
  assert.ok(dissimilarityOf(reference, row.with(3, 30)) > 1);
});

test('more than 2,000 rows: points cover each row, a regime of a few rows keeps its own', async () => {
  const training = uniformRows(5_000, 6);
  // Three rows of a crash, far from all others.
  for (const row of [1234, 1235, 1236])
    training.features.fill(40 + row / 100, row * 6, row * 6 + 6);
  const reference = await fitted(training);
  assert.equal(reference.points.length, 2_000 * 6);
  for (const row of [1234, 1235, 1236]) {
    assert.ok(dissimilarityOf(reference, rowOf(training, row)) < 0.1, `row ${row}`);
  }
  const furthest = Math.max(
    ...Array.from({ length: 5_000 }, (_, row) => dissimilarityOf(reference, rowOf(training, row))),
  );
  assert.ok(furthest < 1, `a training row is an outlier: ${furthest}`);
});

test('the same rows give the same bits', async () => {
  const [a, b] = [await fitted(uniformRows(2_500, 8)), await fitted(uniformRows(2_500, 8))];
  assert.deepEqual(a, b);
});

test('rows that are all alike, or one alone, give no reference', async () => {
  const alike = uniformRows(100, 4);
  alike.features.fill(1.5);
  assert.equal(await fitOutlierReference(alike, breathe), undefined);
  assert.equal(await fitOutlierReference(uniformRows(1, 4), breathe), undefined);
});

test('instruments of a pool: rows of the same time are neighbours too', async () => {
  const one = uniformRows(200, 5);
  const features = new Float64Array([...one.features, ...one.features.map((v) => v + 1e-9)]);
  const rows = Int32Array.from({ length: 400 }, (_, i) => i);
  const openTime = new Float64Array([...one.openTime, ...one.openTime]);
  const pooled = await fitted({ ...one, features, rows, openTime });
  const alone = await fitted(one);
  // A twin at the same time would make every distance 0.
  assert.ok(Math.abs(pooled.threshold / alone.threshold - 1) < 0.01);
});

test('fresh rows of an unchanged series are rarely outliers, those of a changed one often', async () => {
  const set = featureSetOrThrow('technical-152');
  const bars = walkBars(6_000, { timeframe: '1h', seed: 3 });
  const matrix = buildFeatures(set, bars, calendarFor('24x7'));
  const from = matrix.firstWarmRow;
  const rows = Int32Array.from({ length: 4_800 - from }, (_, i) => from + i);
  const reference = await fitted({
    features: matrix.values,
    featureCount: set.names.length,
    ...{ rows, openTime: matrix.openTime, lookback: 60 },
  });
  const share = (values: Float64Array): number => {
    let outliers = 0;
    for (let row = 4_900; row < 6_000; row++) {
      const width = set.names.length;
      const last = values.subarray(row * width, (row + 1) * width);
      if (dissimilarityOf(reference, last) > 1) outliers++;
    }
    return outliers / 1_100;
  };
  // With neighbours left in, 97 % of these rows are above the threshold.
  const unchanged = share(matrix.values);
  assert.ok(unchanged < 0.06, `unchanged: ${unchanged}`);
  const wild = walkBars(6_000, { timeframe: '1h', seed: 3 });
  for (const column of [wild.high, wild.low]) {
    for (let i = 4_700; i < 6_000; i++) {
      column[i] = wild.close[i]! + 6 * (column[i]! - wild.close[i]!);
    }
  }
  const changed = share(buildFeatures(set, wild, calendarFor('24x7')).values);
  assert.ok(changed > 0.5, `changed: ${changed}`);
});

test('it can be stopped while it works', async () => {
  const stop = new Error('cancelled');
  await assert.rejects(
    fitOutlierReference(uniformRows(500, 4), async () => {
      throw stop;
    }),
    stop,
  );
});

test('is that of a search through all points, bit for bit, near them and far from them', async () => {
  const random = seeded(5);
  for (const width of [1, 7, 30, 200]) {
    const training = uniformRows(301, width, width);
    const reference = await fitted(training);
    const { offset, factor, points, threshold } = reference;
    // Also where the process may have no memory for machine code.
    const plain = pointSearch(reference, () => undefined);
    for (let n = 0; n < 301; n++) {
      // Of all sizes: columns that move together, and columns of their own.
      const [all, one] = [10 ** (4 * random() - 3), 10 ** (4 * random() - 3)];
      const shift = all * (random() - 0.5);
      const row = rowOf(training, n).map((value) => value + shift + one * (random() - 0.5));
      const z = row.map((value, c) => (value - offset[c]!) * factor[c]!);
      let nearest = Infinity;
      for (let at = 0; at < points.length; at += width) {
        const sum = z.reduce((s, value, c) => s + (value - points[at + c]!) ** 2, 0);
        nearest = Math.min(nearest, sum);
      }
      assert.equal(dissimilarityOf(reference, row), Math.sqrt(nearest) / threshold);
      assert.equal(plain(z), nearest);
    }
  }
});

test('few points are looked at: most sketches say that they are further away', async () => {
  const set = featureSetOrThrow('technical-152');
  const { values, names, openTime, firstWarmRow } = buildFeatures(
    set,
    walkBars(3_000, { timeframe: '1h', seed: 3 }),
    calendarFor('24x7'),
  );
  const width = names.length;
  const rows = Int32Array.from({ length: 2_500 - firstWarmRow }, (_, i) => firstWarmRow + i);
  const reference = await fitted({
    features: values,
    featureCount: width,
    rows,
    openTime,
    lookback: 1,
  });
  const { offset, factor, points } = reference;
  const count = points.length / width;
  let looked = 0;
  const counting = new Proxy(points, {
    get(of, key) {
      // The first column of a point.
      if (typeof key === 'string' && Number(key) % width === 0) looked++;
      const value: unknown = Reflect.get(of, key, of);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
  const search = pointSearch({ ...reference, points: counting });
  looked = 0;
  for (let row = 2_600; row < 2_900; row += 10) {
    const own = values.subarray(row * width, (row + 1) * width);
    search(own.map((value, c) => (value - offset[c]!) * factor[c]!));
  }
  assert.ok(looked < 0.1 * 30 * count, `${looked} of ${30 * count}`);
});
