import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  causeOf,
  causeOfProblem,
  differencesOf,
  isSampled,
  type DifferenceFacts,
  type ReplayedAnswer,
  type StoredAnswer,
} from '../../../core/predict/index.ts';

const horizon = {
  ...{ horizon: 7, targetDate: '2020-01-14', price: 101.00000000000001, change: 0.1 + 0.2 },
  ...{ direction: 'up' as const, confidence: null, relativeStd: null, probabilityUp: null },
  interval80: null,
};
const answer: ReplayedAnswer = {
  ...{ model: 'm', version: 1, packageDigest: 'aa', instrument: 'X', consistency: 0.5 },
  ...{ asOf: '2020-01-03T00:00:00.000Z', lastClose: 100, horizons: [horizon] },
  ...{ beatsNaive: true, dissimilarity: 0.5, outlier: false, abstain: false, abstainReasons: [] },
  ...{ confidenceFailed: false, stale: false, staleBars: 0, fallback: null, fallbackReason: null },
};
/** As a row has it: with what is no part of a computation. */
const stored = (change: object = {}): StoredAnswer =>
  JSON.parse(
    JSON.stringify({
      ...answer,
      id: '01A',
      batchId: '01A',
      generation: 3,
      recorded: true,
      ...change,
    }),
  ) as StoredAnswer;
const fields = (served: StoredAnswer, again = answer, part: 'all' | 'forecast' = 'all') =>
  differencesOf(served, again, part).map(({ field }) => field);

test('the same computation has no difference, whatever is no part of it', () => {
  assert.deepEqual(fields(stored()), []);
  assert.deepEqual(fields(stored({ generation: 4, id: 'other' })), []);
  // Stored as 0.
  const zero = { ...answer, consistency: -0 };
  assert.deepEqual(fields(stored({ consistency: 0 }), zero), []);
});

test('one bit of one number is a difference, with both values', () => {
  const served = stored({ horizons: [{ ...horizon, change: 0.3 }] });
  assert.deepEqual(differencesOf(served, answer), [
    { field: 'h7.change', served: 0.3, replayed: 0.30000000000000004 },
  ]);
  assert.deepEqual(fields(stored({ lastClose: 99, fallback: 'naive' })), ['lastClose', 'fallback']);
  assert.deepEqual(fields(stored({ horizons: [] })), ['horizons']);
  assert.deepEqual(fields(stored({ horizons: [{ ...horizon, horizon: 8 }] })), ['horizons']);
  assert.deepEqual(fields({}), ['horizons']);
});

test('fields that an earlier release did not write are none; those that are gone are', () => {
  const { dissimilarity: _, ...earlier } = stored();
  assert.deepEqual(fields(earlier), []);
  const classes = { class: 'buy', probabilities: { hold: 0.25, buy: 0.75 }, threshold: null };
  const served = stored({ horizons: [{ ...horizon, classes }] });
  assert.deepEqual(fields(served), ['h7.classes']);
  const otherwise = { ...classes, probabilities: { hold: 0.5, buy: 0.5 } };
  const again = { ...answer, horizons: [{ ...horizon, classes: otherwise }] };
  assert.deepEqual(fields(served, again, 'forecast'), [
    'h7.classes.probabilities.hold',
    'h7.classes.probabilities.buy',
  ]);
});

test('what samples add is left out where only the forecast is compared', () => {
  const sampled = { ...horizon, confidence: 0.6, relativeStd: 0.4, probabilityUp: 0.7 };
  const reasons = ['outlier', 'low-confidence'];
  const served = stored({ horizons: [sampled], abstain: true, abstainReasons: reasons });
  assert.ok(isSampled(served));
  assert.ok(!isSampled(stored()));
  const again = { ...answer, abstain: true, abstainReasons: ['outlier' as const] };
  assert.deepEqual(fields(served, again, 'forecast'), []);
  assert.ok(fields(served, again).includes('h7.confidence'));
  assert.deepEqual(fields(served, answer, 'forecast'), ['abstain', 'abstainReasons']);
});

const facts = (served: StoredAnswer, more: Partial<DifferenceFacts> = {}): DifferenceFacts => ({
  ...{ instrument: 'X', asOf: answer.asOf, servedBy: '1', replayedBy: '1' },
  ...{ fields: differencesOf(served, answer), ...more },
});
const cause = (of: DifferenceFacts) => causeOf(of).cause;

test('the likely cause goes from what is certain to what is left', () => {
  const changed = stored({ horizons: [{ ...horizon, change: 0.3 }] });
  assert.equal(cause(facts(stored({ packageDigest: 'bb', lastClose: 1 }))), 'other-package');
  const arrivedLater = { bar: 'b', arrivedAt: 'c' };
  assert.equal(cause(facts(changed, { arrivedLater })), 'arrived-later');
  assert.equal(cause(facts(changed, { knownUntil: 'k' })), 'replica-behind');
  assert.equal(cause(facts(stored({ fallback: 'naive' }))), 'fallback');
  assert.equal(cause(facts(stored({ asOf: '2020-01-02T00:00:00.000Z' }))), 'bar-gone');
  assert.equal(cause(facts(stored({ lastClose: 99 }))), 'bar-altered');
  assert.equal(cause(facts(changed, { altered: '2020-01-02' })), 'bar-altered');
  assert.equal(cause(facts(changed, { servedBy: '0' })), 'other-code');
  const agreed = '2020-01-02T00:00:00.000Z';
  assert.equal(cause(facts(changed, { agreed })), 'bar-altered');
  assert.equal(cause(facts(changed, { agreed: answer.asOf })), 'unknown');
  assert.equal(cause(facts(stored({ horizons: [{ ...horizon, confidence: 0.5 }] }))), 'samples');
  assert.equal(causeOfProblem('package.features-changed', '').cause, 'features-changed');
  assert.equal(causeOfProblem('package.signature', '').cause, 'package-damaged');
  assert.equal(causeOfProblem('version.unknown', 'gone').words, 'gone');
});
