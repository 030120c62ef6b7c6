import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decideRetrain,
  type RetrainFacts,
  type RetrainReason,
  type RetrainRule,
} from '../../../core/lifecycle/retrain-rule.ts';

const rule: RetrainRule = { every: null, cooldown: 21, maxAge: 126, budgetMinutes: 120 };
const calm: RetrainFacts = {
  championVersion: 3,
  frozen: null,
  age: 10,
  sinceRetrain: null,
  retrainRunning: false,
  trialRunning: false,
  budgetUsedMinutes: 0,
};
const decide = (
  facts: Partial<RetrainFacts>,
  reasons: RetrainReason[] = [],
  changes: Partial<RetrainRule> = {},
) => decideRetrain({ ...calm, ...facts }, reasons, { ...rule, ...changes });

test('without a reason nothing is retrained, and it is said when that will be', () => {
  const decided = decide({ age: 100 });
  assert.equal(decided.action, 'wait');
  assert.deepEqual(decided.reasons, []);
  assert.deepEqual('why' in decided && decided.why, [
    'nothing asks for a retrain; the next one comes in 27 sessions because it is stale by then',
  ]);
  const soon = decide({ age: 100 }, [], { every: 110 });
  assert.match('why' in soon ? soon.why[0]! : '', /in 10 sessions by its cadence$/);
});

test('drift, age and cadence each ask for a retrain', () => {
  assert.deepEqual(decide({}, ['loss']), { action: 'retrain', reasons: ['loss'] });
  assert.equal(decide({ age: 126 }).action, 'wait');
  assert.deepEqual(decide({ age: 127 }), { action: 'retrain', reasons: ['stale'] });
  assert.equal(decide({ age: 62 }, [], { every: 63 }).action, 'wait');
  assert.deepEqual(decide({ age: 63 }, [], { every: 63 }), {
    action: 'retrain',
    reasons: ['cadence'],
  });
  // A retrain that did not end in a promotion counts as well: the champion's age goes on.
  assert.equal(decide({ age: 100, sinceRetrain: 37 }, [], { every: 63 }).action, 'wait');
});

test('each obstacle keeps the reasons waiting, and says why', () => {
  const cases: [Partial<RetrainFacts>, RegExp, number | null][] = [
    [{ championVersion: null }, /no champion yet/, null],
    [{ frozen: 'audit' }, /frozen \(audit\)/, null],
    [{ retrainRunning: true }, /a retrain is under way/, null],
    [{ trialRunning: true }, /one is tried at a time/, null],
    [{ sinceRetrain: 20 }, /the cooldown lasts 1 session more/, 1],
    [{ budgetUsedMinutes: 120 }, /used up \(120 of 120 minutes\)/, null],
  ];
  for (const [facts, why, inSessions] of cases) {
    const decided = decide(facts, ['loss']);
    assert.equal(decided.action, 'wait');
    assert.deepEqual(decided.reasons, ['loss']);
    assert.ok('why' in decided);
    assert.match(decided.why.join('; '), why);
    assert.equal(decided.inSessions, inSessions);
  }
  assert.equal(decide({ sinceRetrain: 21 }, ['loss']).action, 'retrain');
});

test('a cooldown holds up neither a person nor the cadence', () => {
  assert.equal(decide({ sinceRetrain: 1 }, ['asked']).action, 'retrain');
  assert.equal(decide({ sinceRetrain: 1 }, ['asked', 'loss']).action, 'retrain');
  assert.equal(decide({ sinceRetrain: 5 }, [], { every: 5 }).action, 'retrain');
  assert.equal(decide({ age: 200, sinceRetrain: 5 }, [], {}).action, 'wait');
});
