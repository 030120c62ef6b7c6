import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, rowsToDecide, type LifecycleView } from '../../../core/lifecycle/explain.ts';
import { policyOrThrow } from '../../../core/policies/index.ts';
import { trialEvidence } from '../../support/trial-evidence.ts';

const calm: LifecycleView = {
  facts: {
    championVersion: 3,
    frozen: null,
    age: 10,
    sinceRetrain: null,
    retrainRunning: false,
    trialRunning: false,
    budgetUsedMinutes: 0,
  },
  retrain: {
    action: 'wait',
    reasons: [],
    why: ['nothing asks for a retrain'],
    obstacles: [],
    inSessions: 27,
  },
  runningRetrain: null,
  trial: null,
};
const facts = (changes: Partial<LifecycleView['facts']>) => ({ ...calm.facts, ...changes });
const beats = policyOrThrow('beats-champion');
const progressOf = (rows: number, gain: number) =>
  beats.judge(trialEvidence(rows, gain), beats.params.parse({})).progress;
const onTrial: NonNullable<LifecycleView['trial']> = {
  version: 4,
  kind: 'shadow',
  mode: 'prove',
  share: 0,
  reasons: [],
  progress: null,
  elapsed: 2,
  maxDays: 60,
};

test('a calm model says who serves, and why nothing is retrained', () => {
  assert.deepEqual(explain(calm), {
    state: 'watching',
    sentences: [
      'Version 3 is champion; its newest label is 10 sessions old.',
      'Nothing asks for a retrain.',
    ],
  });
});

test('each state has its name and its words', () => {
  const none = explain({ ...calm, facts: facts({ championVersion: null }) });
  assert.equal(none.state, 'no-champion');
  const frozen = explain({ ...calm, facts: facts({ frozen: 'audit' }) });
  assert.equal(frozen.state, 'frozen');
  assert.match(frozen.sentences.join(' '), /frozen \(audit\)/);
  const runningRetrain = { experimentId: '01X', reasons: ['loss', 'stale'] };
  const retraining = explain({ ...calm, runningRetrain });
  assert.equal(retraining.state, 'retraining');
  assert.match(
    retraining.sentences.join(' '),
    /experiment 01X\) because its realised loss rose and because it is stale\./,
  );
  const waiting = explain({
    ...calm,
    retrain: {
      action: 'wait',
      reasons: ['loss'],
      why: ['the cooldown lasts 4 sessions more'],
      obstacles: ['cooldown'],
      inSessions: 4,
    },
  });
  assert.deepEqual(waiting.sentences.slice(1), [
    'A retrain is wanted because its realised loss rose, and waits: the cooldown lasts 4 sessions more.',
    'It may begin in 4 sessions.',
  ]);
});

test('a trial says what blocks the promotion, and about how long it takes', () => {
  const said = (changes: Partial<typeof onTrial>): string =>
    explain({ ...calm, trial: { ...onTrial, ...changes } }).sentences.join(' ');
  assert.match(said({}), /shadow trial, session 2 of 60: only rows of this trial can promote it\./);
  assert.match(said({}), /No prediction of the trial is settled yet\./);
  assert.match(said({ progress: progressOf(50, 0) }), /too few settled rows/);
  assert.match(said({ progress: progressOf(400, -0.004) }), /would not decide\./);
  assert.match(
    said({ progress: progressOf(150, 0.004) }),
    /would decide after about \d+ more settled rows\./,
  );
  assert.match(said({ kind: 'canary', share: 0.25 }), /answers 25 % of the traffic/);
  assert.match(said({ mode: 'guard' }), /proved offline/);
  assert.match(said({ kind: 'manual', maxDays: 14 }), /waits for a person: .* within 14 days\./);
});

test('rows to a decision grow with the square of what is missing', () => {
  const base = progressOf(400, 0.004);
  const at = (meanDifference: number | null, lower: number | null) =>
    rowsToDecide({ ...base, rows: 100, meanDifference, lower });
  assert.equal(at(0.1, -0.1), 300);
  assert.equal(at(0.1, 0.01), 0);
  assert.equal(at(-0.1, -0.3), null);
  assert.equal(at(null, null), null);
});
