import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpec } from '../../../core/spec/parse-spec.ts';
import { SpecError } from '../../../core/spec/spec-error.ts';
import { specHash } from '../../../core/spec/spec-hash.ts';

const spec = (change: object = {}) => ({
  name: 'e',
  model: 'e',
  data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC'] },
  split: { kind: 'recent', trainBars: 500, validBars: 60, testBars: 60 },
  family: 'lightgbm',
  ...change,
});

test('a spec may go on from the champion or from a version, and is another one then', () => {
  const hashes = [{}, { continueFrom: 'champion' }, { continueFrom: { version: 3 } }].map(
    (change) => specHash(parseSpec(spec(change))),
  );
  assert.equal(new Set(hashes).size, 3);
});

for (const [what, change, message] of [
  ['a family that begins anew', { family: 'ridge' }, /ridge always begins anew/],
  ['a split of the whole past', { split: { kind: 'chronological' } }, /has learnt from/],
] as const) {
  test(`refuses to go on: ${what}`, () => {
    assert.throws(
      () => parseSpec(spec({ ...change, continueFrom: 'champion' })),
      (error: unknown) =>
        error instanceof SpecError &&
        error.issues.some((issue) => issue.path === 'continueFrom' && message.test(issue.message)),
    );
  });
}
