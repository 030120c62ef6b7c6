import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpareColumns } from '../../core/spare-columns.ts';

test('columns are given out again once work is done, never twice at a time, and not those that stay', () => {
  const columns = new SpareColumns();
  const [a, b] = columns.during((column) => [column(4), column(4)]);
  assert.notEqual(a, b);
  columns.during((column) => {
    const [c, d, e] = [column(4), column(4), column(5)];
    assert.deepEqual([c === a, d === b, e.length], [true, true, 5]);
    // Work within work has columns of its own.
    columns.during((other) => assert.ok(![c, d].includes(other(4))));
  });
  const kept = columns.during(
    (column) => column(4),
    (column) => [column],
  );
  columns.during((column) => assert.notEqual(column(4), kept));
});

test('work that fails keeps its columns', () => {
  const columns = new SpareColumns();
  let lost: Float64Array | undefined;
  const fail = (): void =>
    columns.during((column) => {
      lost = column(3);
      throw new Error('failed');
    });
  assert.throws(fail, /failed/);
  columns.during((column) => assert.notEqual(column(3), lost));
});
