import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeTestRows,
  encodeTestRows,
  testRowsOf,
  type StoredTestRows,
} from '../../../core/evaluation/index.ts';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';

const facts = {
  model: 'pool',
  label: regressionLabelOrThrow('forwardLogReturn'),
  horizons: [1, 7],
  lossWeights: [0.75, 0.25],
  trainLabelVariance: [0.5, 2],
  instruments: ['A', 'B'],
  rows: {
    openTime: Float64Array.of(1, 2, 1),
    labels: Float64Array.of(1, 2, 0, 0, -1, 1),
  },
  seeds: [3, 5].map((seed) => ({
    seed,
    bestValidLoss: 1,
    bestEpoch: 1,
    epochsRun: 1,
    weightsDigest: '',
    history: [],
    predictions: Float64Array.of(0, 0, seed, NaN, 0, seed),
  })),
};
const rows = testRowsOf(facts, 5, { timeframe: '1h', instrument: Int32Array.of(0, 0, 1) });

test('test rows are those of the named seed, with their weighted loss', () => {
  assert.deepEqual(rows.predictions, facts.seeds[1]!.predictions);
  // 0.75 x 1 / 0.5 + 0.25 x 4 / 2; a forecast that is not there has no loss; 0.75 x 1 / 0.5 + 0.25 x 16 / 2.
  assert.deepEqual([...rows.weightedLoss], [2, NaN, 3.5]);
});

test('what was encoded is decoded, bit for bit, and equal rows are equal bytes', () => {
  const bytes = encodeTestRows(rows);
  assert.deepEqual(decodeTestRows(bytes), rows);
  assert.deepEqual(encodeTestRows({ ...rows }), bytes);
});

test('damaged bytes and columns that do not belong together are refused', () => {
  const damaged = encodeTestRows(rows);
  damaged[60]! ^= 1;
  assert.throws(() => decodeTestRows(damaged), { code: 'bytes.corrupt' });
  const wrong: Partial<StoredTestRows>[] = [
    { labels: new Float64Array(5) },
    { predictions: new Float64Array(7) },
    { weightedLoss: new Float64Array(2) },
    { lossWeights: [1] },
    { instrument: Int32Array.of(0, 0, 2) },
    { instrument: Int32Array.of(0, 0) },
  ];
  for (const change of wrong) {
    const bytes = encodeTestRows({ ...rows, ...change });
    assert.throws(() => decodeTestRows(bytes), { code: 'bytes.corrupt' }, JSON.stringify(change));
  }
});
