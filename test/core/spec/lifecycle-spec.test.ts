/** The fields of a spec that say how a version lives: its moment, trial, retrains, answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { Policy } from '../../../core/policies/policy.ts';
import { parseSpec, SpecError, specHash, type SpecIssue } from '../../../core/spec/index.ts';
import { checkPromotion } from '../../../core/spec/promotion-checks.ts';
import { experimentSpecSchema } from '../../../core/spec/spec.ts';

type Loose = Record<string, unknown>;
const base = (over: Loose = {}): Loose => ({
  name: 'gspc',
  model: 'index-gspc',
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
  ...over,
});
const dataOf = (over: Loose): Loose => ({
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], ...over },
});

function issuesOf(value: unknown): readonly SpecIssue[] {
  try {
    parseSpec(value);
  } catch (error) {
    assert.ok(error instanceof SpecError);
    return error.issues;
  }
  assert.fail('the spec was accepted');
}

/** What a user would get wrong: where, what is said, what is proposed. */
const MISTAKES: readonly [string, Loose, string, RegExp, RegExp?][] = [
  [
    'an unknown trial',
    { promotion: { trial: { kind: 'canry' } } },
    'promotion.trial.kind',
    /must be "none" or "shadow" or "canary" or "manual"/,
    /^Did you mean "canary"\?$/,
  ],
  [
    'a trial without a kind',
    { promotion: { trial: { maxDays: 20 } } },
    'promotion.trial.kind',
    /must be "none" or "shadow"/,
  ],
  [
    "another trial's setting",
    { promotion: { trial: { kind: 'shadow', steps: [0.1] } } },
    'promotion.trial.steps',
    /no such field/,
  ],
  [
    'steps that do not increase',
    { promotion: { trial: { kind: 'canary', steps: [0.25, 0.05] } } },
    'promotion.trial.steps',
    /steps must increase/,
  ],
  [
    'a step that is all of the traffic',
    { promotion: { trial: { kind: 'canary', steps: [0.5, 1] } } },
    'promotion.trial.steps[1]',
    /<1/,
  ],
  [
    'a canary that ends before its last step',
    { promotion: { trial: { kind: 'canary', stepDays: 30 } } },
    'promotion.trial.maxDays',
    /3 steps of 30 days take 90, maxDays is 60/,
    /`maxDays: 90` or more/,
  ],
  [
    'a strict guarantee without a trial',
    { promotion: { guarantee: 'strict' } },
    'promotion.guarantee',
    /of kind none has no rows/,
    /kind: shadow/,
  ],
  [
    'a floor for a policy without one',
    { promotion: { floor: 0.2 } },
    'promotion.floor',
    /the policy beats-champion has no floor/,
    /Leave it out/,
  ],
  [
    'a moment without an hour',
    dataOf({ asOf: '2024-05-01' }),
    'data.asOf',
    /such as 2024-05-01T00:00:00Z/,
  ],
  [
    'a moment before the first bar',
    dataOf({ from: '2024-05-01', asOf: '2024-05-01T00:00:00Z' }),
    'data.asOf',
    /does not lie after `from`, 2024-05-01/,
    /later asOf/,
  ],
  [
    "a moment before an instrument's first bar",
    dataOf({ instruments: [{ id: '^GSPC', from: '2024-06-01' }], asOf: '2024-05-01T00:00:00Z' }),
    'data.asOf',
    /does not lie after `from`, 2024-06-01/,
  ],
  ['an unknown refit', { refit: 'train' }, 'refit', /"none" or "trainValid" or "all"/],
  [
    'a cadence within the cooldown',
    { retrain: { every: 5 } },
    'retrain.every',
    /5 is shorter than retrain\.cooldown, 21/,
    /`cooldown: 5` or less/,
  ],
  [
    'a split of retrains that does not add up',
    { retrain: { split: { kind: 'chronological', ratios: [0.7, 0.2, 0.2] } } },
    'retrain.split.ratios',
    /add up to 1/,
  ],
  [
    'a schedule there is not',
    { monitor: { schedule: 'daily' } },
    'monitor.schedule',
    /"on" or "off"/,
  ],
  [
    'a threshold of confidence that nothing obeys',
    { serving: { minConfidence: 0.6 } },
    'serving.minConfidence',
    /nothing abstains/,
    /`abstain: true`/,
  ],
  [
    'a threshold of a confidence there is not',
    { family: 'ridge', serving: { abstain: true, minConfidence: 0.6 } },
    'serving.minConfidence',
    /have no confidence/,
  ],
];

for (const [what, over, path, message, suggestion] of MISTAKES) {
  test(`mistake: ${what}`, () => {
    const issues = issuesOf(base(over));
    const issue = issues.find((i) => i.path === path);
    assert.ok(issue, `issue at ${path}, got ${JSON.stringify(issues)}`);
    assert.match(issue.message, message);
    if (suggestion) assert.match(issue.suggestion ?? '', suggestion);
  });
}

test('a spec without the later fields keeps the hash that its versions are registered under', () => {
  assert.equal(
    specHash(parseSpec(base())),
    'c7cd61eebcc7fabf7f01a7d3bab6849977d14eb70c7def8ecf4038635bb39c95',
  );
  assert.equal(
    specHash(parseSpec(base({ family: 'ridge' }))),
    '01adaff7dde2a9774fa82e89f9d7cd256a534e47bacdccc8f4c03119b889f17c',
  );
});

test('a spec stored before trials, refits and monitoring still parses, and means what it meant', () => {
  const spec = parseSpec(base());
  const { monitor: _monitor, ...stored } = structuredClone(spec);
  const { guarantee: _guarantee, ...promotion } = stored.promotion;
  const { abstain: _abstain, ...serving } = stored.serving;
  const { maxAge } = stored.retrain;
  const read = experimentSpecSchema.parse({ ...stored, promotion, serving, retrain: { maxAge } });
  assert.deepEqual(read, spec);
  assert.deepEqual([read.refit, read.promotion.trial], ['none', { kind: 'none' }]);
});

test('trials have defaults, an instant has one spelling', () => {
  const promotion = (trial: Loose): unknown =>
    parseSpec(base({ promotion: { trial } })).promotion.trial;
  assert.deepEqual(promotion({ kind: 'shadow' }), {
    kind: 'shadow',
    minIndependent: 20,
    maxDays: 60,
  });
  assert.deepEqual(promotion({ kind: 'canary', guards: { maxErrorShare: 0.1 } }), {
    ...{ kind: 'canary', minIndependent: 20, maxDays: 60 },
    ...{ steps: [0.05, 0.25, 0.5], stepDays: 2 },
    guards: { maxErrorShare: 0.1, maxAbstainShare: 0.5, maxLatencyRatio: 3 },
  });
  assert.deepEqual(promotion({ kind: 'manual' }), { kind: 'manual', maxDays: 14 });
  for (const asOf of ['2024-05-01T00:00:00Z', '2024-05-01T02:00:00+02:00']) {
    const { data } = parseSpec(base(dataOf({ asOf })));
    assert.equal(data.asOf, '2024-05-01T00:00:00.000Z');
  }
});

test('a policy that decides in a canary is refused elsewhere', () => {
  const bandit: Policy = {
    name: 'bandit',
    docs: '',
    params: z.object({ floor: z.number().default(0.1) }),
    trials: ['canary'],
    decide: () => assert.fail('nothing is decided here'),
    judge: () => assert.fail('nothing is tried here'),
  };
  const issues = (trial: Loose): readonly SpecIssue[] => {
    const parsed = experimentSpecSchema.parse(base({ promotion: { trial, floor: 0.2 } }));
    const promotion = { ...parsed.promotion, policy: 'bandit' };
    return checkPromotion({ promotion }, [bandit]);
  };
  assert.deepEqual(issues({ kind: 'canary' }), []);
  const [issue, ...others] = issues({ kind: 'shadow' });
  assert.deepEqual([issue?.path, others], ['promotion.trial.kind', []]);
  assert.match(issue!.message, /bandit decides in a trial of kind canary, not shadow/);
  assert.match(issue!.suggestion ?? '', /kind: canary/);
});
