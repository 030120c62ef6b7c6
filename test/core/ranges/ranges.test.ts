import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableFromIPC } from 'apache-arrow';
import { RatchetError } from '../../../core/errors.ts';
import {
  BATCH_ROWS,
  countedIn,
  encoderOf,
  instantsOf,
  PART_ROWS,
  partCount,
  RANGE_FORMATS,
  rangeFactsSchema,
  rowOf,
  spansOfPart,
  type RangeFacts,
  type RangeRow,
} from '../../../core/ranges/index.ts';
import { rowProblemOf } from '../../../core/problems.ts';

test('parts hold each instant of each instrument once, in order, and are never too large', () => {
  for (const instruments of [1, 2, 7, 500]) {
    for (const instants of [1, 63, 64, 500, 2_048, 2_049, 4_096, 4_097, 10_000]) {
      const size = { instruments, instants };
      const rows: string[] = [];
      for (let n = 0; n < partCount(size); n++) {
        const spans = spansOfPart(size, n);
        const count = spans.reduce((sum, { from, to }) => sum + to - from, 0);
        assert.ok(count > 0 && count <= PART_ROWS, `${count} rows of ${JSON.stringify(size)}`);
        for (const { instrument, from, to } of spans) {
          assert.equal(from % BATCH_ROWS, 0, 'a part begins where a batch does');
          rows.push(`${instrument}:${from}-${to}`);
        }
      }
      const ends = new Map<number, number>();
      for (const row of rows) {
        const [instrument, from, to] = row.split(/[:-]/).map(Number) as [number, number, number];
        assert.equal(from, ends.get(instrument) ?? 0, `${row} of ${JSON.stringify(size)}`);
        ends.set(instrument, to);
      }
      assert.deepEqual([...ends.keys()], [...Array(instruments).keys()]);
      assert.ok([...ends.values()].every((end) => end === instants));
    }
  }
});

test('many instruments of few instants share parts', () => {
  assert.equal(partCount({ instruments: 10_000, instants: 250 }), 625);
});

const FACTS: RangeFacts = {
  ...{ version: 'then', knownBy: Date.parse('2020-01-10'), question: 'abcdefghij', model: 'm' },
  ...{ instruments: ['A', 'B'], calendar: 'nyse', timeframe: '1d', delayMs: 1_000 },
  ...{ from: Date.parse('2019-12-30'), to: null },
  shape: { horizons: [1], classes: [] },
};

test('facts are the same read back, and their instants end with what was known', () => {
  const read = rangeFactsSchema.parse(JSON.parse(JSON.stringify(FACTS)));
  assert.deepEqual(read, FACTS);
  const asOf = [...instantsOf(read)];
  assert.ok(asOf.at(-1)! <= FACTS.knownBy);
  assert.equal(new Date(asOf[0]!).toISOString().slice(0, 10), '2019-12-30');
  assert.equal(asOf.length, 8);
  const early = instantsOf({ ...read, knownBy: asOf[3]! });
  assert.deepEqual([...early], asOf.slice(0, 4));
  assert.throws(() => rangeFactsSchema.parse({ ...FACTS, version: 0 }));
});

const forecast = (at: number) => ({
  ...{ model: 'm', version: 2, packageDigest: 'd', instrument: 'A', confidenceFailed: false },
  ...{ asOf: new Date(at).toISOString(), lastClose: at / 7, consistency: 0.5, beatsNaive: true },
  ...{ dissimilarity: null, outlier: false, abstain: false, abstainReasons: [] },
  ...{ stale: false, staleBars: 0, horizons: [] },
});

/** Rows of which every fifth has no prediction. */
const ROWS: readonly RangeRow[] = Array.from({ length: 300 }, (_, i) => {
  const of = { ...FACTS, position: 0, instrument: 'A', problemOf: rowProblemOf };
  const asOf = FACTS.from + i * 86_400_000;
  return i % 5 === 0
    ? rowOf(of, null, { asOf, problem: new RatchetError('champion.none', 'nobody served') })
    : rowOf(of, 2, { asOf, forecast: forecast(asOf), fallback: null, fallbackReason: null });
});

for (const format of RANGE_FORMATS) {
  test(`${format}: batches that several encoders wrote are those of one`, async () => {
    const batches = [ROWS.slice(0, 64), ROWS.slice(64, 128), ROWS.slice(128, 130)];
    const one = await encoderOf(format, FACTS.shape);
    const totals = countedIn(batches.flat());
    assert.deepEqual(totals, { rows: 130, failed: 26 });
    const whole = Buffer.concat([one.head, ...batches.map(one.rows), one.tail(totals)]);
    const apart: Uint8Array[] = [];
    for (const batch of [...batches].reverse()) {
      const encoder = await encoderOf(format, FACTS.shape);
      apart.unshift(encoder.rows(batch));
    }
    const last = await encoderOf(format, FACTS.shape);
    assert.deepEqual(Buffer.concat([last.head, ...apart, last.tail(totals)]), whole);
    if (format === 'arrow') {
      const table = tableFromIPC(whole);
      assert.equal(table.numRows, 130);
      assert.equal(table.get(5)!.toJSON()['problem'], 'champion.none');
      return;
    }
    const lines = whole.toString().trimEnd().split('\n');
    assert.deepEqual(JSON.parse(lines[5]!), ROWS[5]);
    assert.deepEqual(JSON.parse(lines.at(-1)!), { done: true, ...totals });
  });
}

test('what is told of a problem is what the API tells of it', () => {
  const none = rowProblemOf(new RatchetError('champion.none', 'nobody served'));
  assert.deepEqual(none, { status: 422, code: 'champion.none', detail: 'nobody served' });
  assert.equal(rowProblemOf(new RatchetError('version.unknown', 'x')).status, 404);
  const ours = rowProblemOf(new RatchetError('internal.unreachable', '/a/path'));
  assert.deepEqual([ours.status, ours.detail], [500, 'Something went wrong on our side.']);
  assert.equal(rowProblemOf(new RatchetError('x.y', 'z'.repeat(900))).detail.length, 500);
});
