import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftToTrial, reject, unproved } from '../../../core/policies/guards.ts';
import { policies, policyOrThrow } from '../../../core/policies/index.ts';
import type { Evidence } from '../../../core/policies/policy.ts';
import { probabilityBetter } from '../../../core/policies/thompson.ts';
import type { TrialDecision, TrialEvidence } from '../../../core/policies/trial.ts';
import { arm, trialEvidence } from '../../support/trial-evidence.ts';

function judge(evidence: TrialEvidence, name = 'beats-champion', params = {}): TrialDecision {
  const policy = policyOrThrow(name);
  return policy.judge(evidence, policy.params.parse(params));
}

const canary = (changes: Partial<TrialEvidence> = {}): Partial<TrialEvidence> => ({
  kind: 'canary',
  steps: [0.05, 0.25, 0.5],
  stepDays: 2,
  ...changes,
});

test('a better challenger is proved by the rows of its trial, and not before there are enough', () => {
  const early = judge(trialEvidence(90, 0.2));
  assert.equal(early.verdict, 'continue');
  assert.equal(early.progress.status, 'insufficientEvidence');
  const later = judge(trialEvidence(400, 0.2));
  assert.equal(later.verdict, 'accept');
  assert.match(
    later.reasons[0]!,
    /^Proved better than champion v3 in its trial: mean loss 19\.8 % lower over 400 settled rows/,
  );
  assert.ok(later.progress.lower! > 0);
});

test('more independent rows may be asked for than the test itself needs', () => {
  assert.equal(judge(trialEvidence(400, 0.2, { minIndependent: 401 })).verdict, 'continue');
  assert.equal(judge(trialEvidence(400, 0.2, { minIndependent: 400 })).verdict, 'accept');
});

test('a worse challenger is aborted for harm in either mode', () => {
  for (const mode of ['prove', 'guard'] as const) {
    const decided = judge(trialEvidence(400, -0.2, { mode }));
    assert.equal(decided.verdict, 'abort');
    assert.match(decided.reasons[0]!, /^Aborted for harm: worse than champion v3/);
  }
});

test('an equal challenger ends undecided when its time is up, and is not called worse', () => {
  const rows = trialEvidence(400, 0);
  assert.equal(judge(rows).verdict, 'continue');
  const decided = judge({ ...rows, elapsed: 60 });
  assert.equal(decided.verdict, 'undecided');
  assert.match(
    decided.reasons[0]!,
    /champion v3 stays: nothing was proved.*not mean that the challenger is worse$/,
  );
  const few = judge(trialEvidence(30, 0, { elapsed: 60 }));
  assert.match(few.reasons[0]!, /too few settled rows to decide/);
});

test('what was proved offline needs rows without harm, and no second proof', () => {
  assert.equal(judge(trialEvidence(19, 0, { mode: 'guard' })).verdict, 'continue');
  const decided = judge(trialEvidence(200, 0, { mode: 'guard' }));
  assert.equal(decided.verdict, 'accept');
  assert.match(decided.reasons[0]!, /^Proved offline, and its trial showed no harm/);
});

test('what was proved offline passes at the end of its time, however few rows its horizon leaves', () => {
  const guard = { mode: 'guard' as const, horizon: 30, barsPerSession: 1, elapsed: 60 };
  assert.equal(judge(trialEvidence(30, 0, { ...guard, elapsed: 59 })).verdict, 'continue');
  assert.equal(judge(trialEvidence(30, 0, guard)).verdict, 'accept');
  const silent = { champion: arm(), challenger: arm({ requests: 0 }) };
  assert.equal(judge(trialEvidence(0, 0, { ...guard, arms: silent })).verdict, 'undecided');
  assert.equal(judge(trialEvidence(30, 0, { ...guard, mode: 'prove' })).verdict, 'undecided');
});

test('a challenger that fails, abstains or is slow is aborted before any loss is known', () => {
  const broken = (challenger: Partial<Parameters<typeof arm>[0]>, changes = canary()) =>
    judge(
      trialEvidence(0, 0, { ...changes, arms: { champion: arm(), challenger: arm(challenger) } }),
    );
  assert.match(broken({ errors: 30 }).reasons[0]!, /could not answer 3 % of 1000 requests/);
  assert.match(broken({ abstained: 600 }).reasons[0]!, /abstained on 60 % more/);
  assert.match(broken({ p95Ms: 7 }).reasons[0]!, /3\.5 times the champion's/);
  assert.equal(broken({ errors: 20, abstained: 480, p95Ms: 6 }).verdict, 'continue');
  // In shadow it computes at low priority: its time there says nothing.
  assert.equal(broken({ p95Ms: 100 }, {}).verdict, 'continue');
  assert.equal(broken({ requests: 49, errors: 49 }).verdict, 'continue');
});

test('a loss that is not finite aborts the trial', () => {
  const evidence = trialEvidence(400, 0.2);
  evidence.losses.challenger[7] = NaN;
  assert.equal(judge(evidence).verdict, 'abort');
});

test('a canary climbs its steps, and is promoted after the last one only', () => {
  const share = (elapsed: number): number => judge(trialEvidence(50, 0, canary({ elapsed }))).share;
  assert.deepEqual([0, 1, 2, 3, 4, 5, 9].map(share), [0.05, 0.05, 0.25, 0.25, 0.5, 0.5, 0.5]);
  assert.equal(judge(trialEvidence(400, 0.2, canary({ elapsed: 5 }))).verdict, 'continue');
  assert.equal(judge(trialEvidence(400, 0.2, canary({ elapsed: 6 }))).verdict, 'accept');
});

test('the strict guarantee bets with e-values, and needs a scale from other rows', () => {
  const strict = judge(trialEvidence(2_000, 0.2, { guarantee: 'strict' }));
  assert.equal(strict.progress.test, 'e-value');
  assert.equal(strict.verdict, 'accept');
  assert.ok(strict.progress.wealth! >= 1 / 0.03);
  const without = (gain: number) =>
    judge(trialEvidence(2_000, gain, { guarantee: 'strict', clipScale: null }));
  assert.equal(without(0.2).progress.test, 'confidence-sequence');
  assert.equal(without(0.2).verdict, 'continue', 'an approximate proof is no strict one');
  assert.equal(without(-0.2).verdict, 'abort');
});

test('freshness may pass an equal challenger, says so, and still aborts for harm', () => {
  const fresh = (gain: number) => judge(trialEvidence(1_400, gain), 'freshness', { margin: 0.1 });
  const decided = fresh(0);
  assert.equal(decided.verdict, 'accept');
  assert.match(decided.reasons[0]!, /^Promoted for freshness, not proved better than champion v3/);
  // Worse, but by less than the margin: harm is asked without one.
  assert.equal(fresh(-0.05).verdict, 'abort');
});

test('thompson routes by how likely the challenger is better, and never leaves its floor', () => {
  const share = (gain: number, rows = 60) =>
    judge(trialEvidence(rows, gain, canary({ elapsed: 0 })), 'thompson', { floor: 0.2 }).share;
  assert.equal(share(0, 5), 0.5);
  assert.equal(share(0.2), 0.8);
  assert.equal(share(-0.2), 0.2);
  assert.ok(probabilityBetter(trialEvidence(60, 0.2)) > 0.99);
  const alike = probabilityBetter(trialEvidence(60, 0));
  assert.ok(alike > 0.02 && alike < 0.98, String(alike));
});

test('every policy is total over odd trials', () => {
  const odd = [
    trialEvidence(0, 0),
    trialEvidence(1, 0, { clipScale: null }),
    trialEvidence(50, 0, { maxDays: 0, elapsed: 0 }),
    trialEvidence(50, 0, { alpha: 0 }),
    trialEvidence(40, 0, { horizon: 30 }),
    {
      ...trialEvidence(300, 0),
      losses: { champion: new Float64Array(300), challenger: new Float64Array(300) },
    },
  ];
  for (const policy of policies) {
    for (const evidence of odd) {
      const decided = policy.judge(evidence, policy.params.parse({}));
      assert.ok(decided.reasons.length > 0);
      assert.ok(decided.share >= 0 && decided.share < 1);
      assert.notEqual(decided.verdict, 'accept', policy.name);
    }
  }
});

test('a refusal goes to a trial only where the rows were silent on the version itself', () => {
  const evidence = (changes: Partial<Evidence>) => changes as Evidence;
  const few = { ...reject('too few'), because: 'insufficient' as const };
  const verdict = (outcome: Parameters<typeof leftToTrial>[0], changes: Partial<Evidence>) =>
    leftToTrial(outcome, evidence(changes)).verdict;
  assert.equal(verdict(few, { trial: 'shadow' }), 'continue');
  assert.equal(verdict(few, { trial: 'none' }), 'reject');
  assert.equal(verdict(few, {}), 'reject');
  assert.equal(verdict(unproved('no'), { trial: 'shadow' }), 'reject');
  assert.equal(verdict(unproved('no'), { trial: 'shadow', refit: true }), 'continue');
  assert.equal(verdict(reject('not finite'), { trial: 'shadow', refit: true }), 'reject');
  const { reasons } = leftToTrial(few, evidence({ trial: 'manual' }));
  assert.deepEqual(reasons, ['A person decides: a manual trial begins', 'too few']);
});
