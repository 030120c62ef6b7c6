import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, type EvaluationInput } from '../../../core/evaluation/index.ts';
import { policies, policyOrThrow } from '../../../core/policies/index.ts';
import type { Decision, Evidence, Training } from '../../../core/policies/policy.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { evidenceOf as sheetOf } from '../../support/evidence.ts';
import { plant } from '../evaluation/planted.ts';

/** The sheet as the activity makes it, of an evaluation. */
const evidenceOf = (input: EvaluationInput, k = 1): Evidence => {
  const evaluation = evaluate(input);
  return sheetOf(evaluation, { tries: { k, rowsDigest: evaluation.rows.digest } });
};

function decide(evidence: Evidence, params: Record<string, unknown> = {}): Decision {
  const policy = policyOrThrow('beats-champion');
  return policy.decide(evidence, policy.params.parse(params));
}

const withChampion = (share: number, options = {}): EvaluationInput => {
  const { input, signal } = plant(options);
  const predictions = signal.map((x) => share * x);
  return { ...input, champion: { version: 3, trainedThrough: 0, predictions } };
};

test('a challenger that is proved better is accepted, with figures in the reason', () => {
  const decision = decide(evidenceOf(withChampion(0.3)));
  assert.equal(decision.verdict, 'accept');
  assert.match(
    decision.reasons[0]!,
    /^Proved better than champion v3: loss \d+\.\d+ % lower on 600 common rows, p = /,
  );
});

test('an equal challenger is refused, and the reason says what the test could have found', () => {
  const { reasons, verdict } = decide(evidenceOf(withChampion(1)));
  assert.equal(verdict, 'reject');
  assert.match(
    reasons.join('; '),
    /^Not proved better than champion v3: .* needs p <= 0\.0304; this test .* 5 % improvement with probability \d+ %$/,
  );
});

test('insufficient evidence is not called worse', () => {
  const { verdict, reasons } = decide(evidenceOf(withChampion(0.1, { rows: 150 })));
  assert.equal(verdict, 'reject');
  assert.match(
    reasons[0]!,
    /^Insufficient evidence: 150 common rows are 15\.0 independent .* not mean that the challenger is worse$/,
  );
});

test('the k-th try must reach a k^2 times lower level', () => {
  const evidence = evidenceOf(withChampion(0.3));
  const p = 0.01;
  const at = (k: number): Decision => {
    const comparisons = evidence.comparisons.map((c) =>
      c.against === 'champion' ? { ...c, test: { ...c.test!, p } } : c,
    );
    return decide({ ...evidence, comparisons, tries: { ...evidence.tries, k } });
  };
  assert.deepEqual(
    [1, 2, 3].map((k) => at(k).verdict),
    ['accept', 'reject', 'reject'],
  );
  assert.ok(Math.abs(at(2).evidence.alphaK - (0.05 * 6) / (Math.PI ** 2 * 4)) < 1e-15);
  for (const k of [0, -1, NaN, 1.5]) assert.equal(at(k).verdict, 'reject', `try ${k}`);
});

test('a first champion is accepted and marked; requireSkill wants proof over both references', () => {
  const good = evidenceOf(plant().input);
  assert.match(
    decide(good).reasons.join('; '),
    /first champion; it is proved better than the naive/,
  );
  assert.equal(decide(good, { requireSkill: true }).verdict, 'accept');
  const bad = evidenceOf(plant({ forecast: { signal: 0, noise: 0.5 } }).input);
  assert.equal(decide(bad).verdict, 'accept');
  assert.match(
    decide(bad).reasons.join('; '),
    /not proved better than the naive baseline, and each answer says so/,
  );
  const refused = decide(bad, { requireSkill: true });
  assert.equal(refused.verdict, 'reject');
  assert.match(refused.reasons[0]!, /^requireSkill: .*the naive baseline and the training mean/);
});

test('a champion that was not compared keeps its place', () => {
  const evidence = evidenceOf(plant().input);
  const { verdict, reasons } = decide({ ...evidence, championVersion: 3 });
  assert.equal(verdict, 'reject');
  assert.match(reasons[0]!, /were not compared on common rows/);
  const stale = evidenceOf(withChampion(0.1));
  assert.equal(
    decide({ ...stale, championVersion: 4 }).verdict,
    'reject',
    'compared with another one',
  );
});

test('a NaN never passes: in a forecast, in a loss, in p', () => {
  const input = withChampion(0.1);
  const seeds = input.seeds.map((s) => ({ ...s, predictions: s.predictions.slice() }));
  seeds[0]!.predictions[0] = NaN;
  assert.equal(decide(evidenceOf({ ...input, seeds })).verdict, 'reject');
  assert.equal(decide(evidenceOf({ ...input, seeds, champion: null })).verdict, 'reject');
  const served = seeds.map((s) => ({ ...s, predictions: s.predictions.map(() => NaN) }));
  assert.equal(decide(evidenceOf({ ...input, seeds: served, champion: null })).verdict, 'reject');
  const evidence = evidenceOf(input);
  for (const servedLoss of [null, NaN, Infinity]) {
    assert.equal(decide({ ...evidence, servedLoss }).verdict, 'reject');
  }
  const comparisons = evidence.comparisons.map((c) => ({ ...c, test: { ...c.test!, p: NaN } }));
  assert.equal(decide({ ...evidence, comparisons }).verdict, 'reject');
});

test('conformance of every policy: total, reasons given, alike twice, the evidence kept', () => {
  const uniform = seededUniform(11);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(uniform() * values.length)]!;
  const base = evidenceOf(withChampion(0.5));
  const trained = (template: string, trainedThrough: string | null): Training => ({
    template,
    trainedThrough,
  });
  const lineages = [trained('a', '2020-01-01'), trained('b', '2019-01-01'), trained('a', null)].map(
    (champion) => ({ ...trained('a', '2021-01-01'), champion: pick([null, champion]) }),
  );
  for (const policy of policies) {
    for (let i = 0; i < 400; i++) {
      const evidence: Evidence = {
        ...base,
        championVersion: pick([null, 3, 4]),
        comparisons: pick([[], base.comparisons]).map((c) => ({
          ...c,
          status: pick(['tested', 'insufficientEvidence', 'notFinite'] as const),
          test: pick([null, { ...c.test!, p: pick([0, 0.01, 0.5, 1, NaN]) }]),
          relativeDifference: pick([null, -1, 0.1]),
          servedMeanDifference: pick([null, -0.1, 0.1, NaN]),
          power: pick([null, c.power]),
        })),
        servedLoss: pick([null, NaN, 0, 1]),
        beatsNaive: pick([true, false]),
        tries: { k: pick([NaN, 0, 1, 5]), rowsDigest: '' },
        ...pick([{}, { lineage: pick(lineages) }]),
      };
      const params = policy.params.parse({ requireSkill: pick([true, false]) });
      const decision = policy.decide(evidence, params);
      assert.ok(['accept', 'reject', 'continue'].includes(decision.verdict));
      assert.ok(decision.reasons.length > 0 && decision.reasons.every((r) => r.trim().length > 10));
      assert.ok(
        decision.reasons.every((r) => !r.endsWith('.') && !r.includes('NaN %')),
        decision.reasons.join(),
      );
      assert.deepEqual(policy.decide(evidence, params), decision);
      assert.equal(decision.evidence.model, base.model);
      if (evidence.servedLoss === null || Number.isNaN(evidence.servedLoss)) {
        assert.equal(decision.verdict, 'reject');
      }
    }
  }
});

test('property: a better challenger never turns accept into reject', () => {
  for (let seed = 1; seed <= 25; seed++) {
    const { input, signal } = plant({ seed, rows: 300, forecast: { signal: 0.5, noise: 0.1 } });
    const champion = { version: 3, trainedThrough: 0, predictions: signal.map((x) => 0.35 * x) };
    const better = (share: number): EvaluationInput => ({
      ...input,
      champion,
      // Nearer to the labels by the same share everywhere: every loss is lower.
      seeds: input.seeds.map((s) => ({
        ...s,
        predictions: s.predictions.map((f, i) => f + share * (input.rows.labels[i]! - f)),
      })),
    });
    const verdicts = [0, 0.05, 0.2, 0.5].map((share) => decide(evidenceOf(better(share))).verdict);
    const accepted = verdicts.indexOf('accept');
    assert.ok(
      accepted < 0 || verdicts.slice(accepted).every((v) => v === 'accept'),
      verdicts.join(),
    );
    assert.equal(verdicts.at(-1), 'accept');
  }
});

test('an unknown policy is named with those there are', () => {
  assert.throws(
    () => policyOrThrow('beat-champion'),
    /no policy "beat-champion"; there are beats-champion/,
  );
});
