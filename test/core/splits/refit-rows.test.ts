import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  refitRows,
  type RefitPart,
  type SplitInput,
  splitRows,
  type SplitSpec,
} from '../../../core/splits/index.ts';

const DAY = 86_400_000;

/** One row a bar; the label of a row ends `h` bars later. */
function daily(rows: number, horizons: readonly number[]): SplitInput {
  const longest = Math.max(...horizons);
  const openTime = Float64Array.from({ length: rows + longest }, (_, i) => i * DAY);
  const labelEnd = openTime.map((_, row) => openTime[row + longest] ?? NaN);
  return {
    rows: Int32Array.from({ length: rows }, (_, i) => i),
    openTime,
    labelEnd,
    horizons,
    reachBars: 1,
  };
}

const chronological: SplitSpec = {
  kind: 'chronological',
  ratios: [0.7, 0.15, 0.15],
  purge: 'auto',
  embargo: 'auto',
};
const recent: SplitSpec = {
  kind: 'recent',
  trainBars: 500,
  validBars: 100,
  testBars: 120,
  purge: 'auto',
  embargo: 'auto',
};
const input = daily(1000, [7, 30]);

const ends = (split: SplitSpec, part: RefitPart): unknown[] => {
  const rows = refitRows(split, input, part);
  return [rows[0], rows.at(-1), rows.length];
};

test('chronological expands: from the first sample to the test part, or to the end', () => {
  // The test part begins at 850; a label of 819 ends at 849, one of 820 reaches into it.
  assert.deepEqual(ends(chronological, 'trainValid'), [0, 819, 820]);
  assert.deepEqual(ends(chronological, 'all'), [0, 999, 1000]);
});

test('recent rolls: as many samples as the training part has, the newest there are', () => {
  assert.deepEqual(ends(recent, 'trainValid'), [350, 849, 500]);
  assert.deepEqual(ends(recent, 'all'), [500, 999, 500]);
});

test('trainValid never meets a label of the test part, whatever purge and embargo are', () => {
  for (const split of [
    { ...chronological, purge: 45, embargo: 10 } as const,
    { ...recent, purge: 45, embargo: 10 } as const,
    chronological,
    recent,
  ]) {
    const { test: testRows, valid } = splitRows(split, input);
    const rows = refitRows(split, input, 'trainValid');
    const firstTest = input.openTime[testRows[0]!]!;
    for (const row of rows) assert.ok(input.labelEnd[row]! < firstTest);
    assert.equal(rows.at(-1), valid.at(-1), 'and holds all that the twin was allowed to see');
  }
});

test('a pool takes all instruments of a decision time', () => {
  const pooled: SplitInput = {
    ...input,
    rows: Int32Array.from({ length: 2000 }, (_, i) => i),
    openTime: Float64Array.from({ length: 2000 }, (_, i) => (i % 1000) * DAY),
    labelEnd: Float64Array.from({ length: 2000 }, (_, i) => ((i % 1000) + 30) * DAY),
  };
  const rows = refitRows(recent, pooled, 'all');
  assert.equal(rows.length, 1000);
  assert.deepEqual([...rows.subarray(0, 4)], [500, 1500, 501, 1501], 'by time, then by row');
});
