import { z } from 'zod';
import type { EvaluatedComparison } from '../evaluation/evaluation.ts';
import { provedBetter } from '../evaluation/verdict.ts';
import { levelOfTry } from '../metrics/tries.ts';
import {
  changeOf,
  decideFirst,
  leftToTrial,
  refuseNotFinite,
  testedAgainst,
  unproved,
  type Outcome,
} from './guards.ts';
import { judgeTrial } from './judge.ts';
import { definePolicy, type Evidence } from './policy.ts';

const params = z.object({
  alpha: z
    .number()
    .gt(0)
    .lt(0.5)
    .default(0.05)
    .describe('Level of all tries against one champion.'),
  requireSkill: z
    .boolean()
    .default(false)
    .describe('Refuse a first champion that is not proved better than the naive baseline.'),
});

/** Superiority: the challenger must be proved better than the champion, on the same rows. */
export const beatsChampion = definePolicy({
  name: 'beats-champion',
  docs:
    "Accepts a challenger whose loss is lower than the champion's on the same rows with a one-sided p of at " +
    'most alpha x 6 / (pi^2 k^2) for the k-th try against this champion, and whose deployed seed is itself ' +
    'better. Fewer than 20 independent horizons: insufficient evidence, the champion stays. A first champion ' +
    'is accepted and marked when it does not beat the naive baseline; requireSkill refuses it.',
  params,
  decide(evidence, { alpha, requireSkill }) {
    const alphaK = levelOfTry(alpha, evidence.tries.k);
    const { championVersion } = evidence;
    const outcome =
      refuseNotFinite(evidence) ??
      (championVersion === null
        ? decideFirst(evidence, alphaK, requireSkill)
        : decideAgainst(championVersion, evidence, alphaK));
    const sheet = { ...evidence, policy: 'beats-champion', alphaK };
    return { ...leftToTrial(outcome, evidence), evidence: sheet };
  },
  judge: (evidence) =>
    judgeTrial(evidence, {
      margin: 0,
      proved: `Proved better than champion v${evidence.championVersion}`,
    }),
});

function decideAgainst(version: number, evidence: Evidence, alphaK: number): Outcome {
  const found = testedAgainst(version, evidence);
  if ('refusal' in found) return found.refusal;
  const against = found.tested;
  const { p } = against.test;
  const figures = `loss ${changeOf(against)} on ${against.rows} common rows, p = ${p.toPrecision(3)}`;
  if (!(p <= alphaK)) {
    return unproved(
      `Not proved better than champion v${version}: ${figures}, and try ${evidence.tries.k} against this ` +
        `champion needs p <= ${alphaK.toPrecision(3)}`,
      ...powerReason(against),
    );
  }
  if (!provedBetter(against, alphaK)) {
    return unproved(
      `The seeds together are better than champion v${version} (p = ${p.toPrecision(3)}), but the seed that ` +
        'would be deployed is not better by itself',
    );
  }
  return {
    verdict: 'accept',
    reasons: [
      `Proved better than champion v${version}: ${figures} <= ${alphaK.toPrecision(3)} ` +
        `(try ${evidence.tries.k} against this champion)`,
    ],
  };
}

function powerReason({ power }: EvaluatedComparison): string[] {
  if (power === null) return [];
  const probability = `${power.atLeast ? 'at least ' : ''}${Math.round(100 * power.reduction5)} %`;
  return [
    `this test (at the 5 % level) would have found a 5 % improvement with probability ${probability}`,
  ];
}
