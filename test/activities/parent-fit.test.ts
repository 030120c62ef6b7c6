import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertUntested } from '../../activities/parent-fit.ts';
import { knowledgeOf } from '../../core/models/knowledge.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';

const prepared = plantedPrepared({ rows: 700 });
const { openTime, split } = prepared;
const DAY = 86_400_000;
const validFrom = openTime[split.valid[0]!]!;
const testFrom = openTime[split.test[0]!]!;
const parent = (trainedThrough: number) => ({
  version: 3,
  fitted: { uri: 'x', sha256: 'x', bytes: 0 },
  trainedThrough: new Date(trainedThrough).toISOString(),
});
const leaks = (part: string) => (error: { code?: string; details?: { part?: string } }) =>
  error.code === 'training.parent-leaks' && error.details?.part === part;

test('a parent may have chosen on what is validated again, not been fitted on it', () => {
  const known = { fittedThrough: validFrom - DAY, knownThrough: testFrom - DAY };
  assertUntested(parent(known.knownThrough), known, prepared);
  const fitted = { ...known, fittedThrough: validFrom };
  assert.throws(
    () => assertUntested(parent(known.knownThrough), fitted, prepared),
    leaks('validation'),
  );
});

test('what any of its ancestors knew must not be tested', () => {
  const known = { fittedThrough: validFrom - DAY, knownThrough: testFrom };
  assert.throws(() => assertUntested(parent(testFrom - DAY), known, prepared), leaks('test'));
});

test('of a bundle that does not say where it was fitted, all that it knew counts', () => {
  assertUntested(parent(validFrom - DAY), undefined, prepared);
  assert.throws(() => assertUntested(parent(validFrom), undefined, prepared), leaks('validation'));
});

test('knowledge grows along the ancestors: the end of the newest training label, and of any label', () => {
  const own = knowledgeOf(prepared, undefined);
  const last = openTime[split.train.at(-1)!]!;
  assert.deepEqual(own, { fittedThrough: last + 3 * DAY, knownThrough: prepared.trainedThrough });
  const elder = { fittedThrough: own.fittedThrough + DAY, knownThrough: 5 };
  assert.deepEqual(knowledgeOf(prepared, elder), {
    fittedThrough: elder.fittedThrough,
    knownThrough: prepared.trainedThrough,
  });
});
