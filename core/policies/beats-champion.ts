import { z } from 'zod';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import { levelOfTry } from '../metrics/tries.ts';
import { NAIVE, TRAINING_MEAN } from '../evaluation/references.ts';
import type { EvaluatedComparison } from '../evaluation/evaluation.ts';
import { provedBetter } from '../evaluation/verdict.ts';
import { definePolicy, type Decision, type Evidence } from './policy.ts';

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
    .describe('Refuse a first champion that is not proved better than naive forecasts.'),
});

type Outcome = Pick<Decision, 'verdict' | 'reasons'>;
const reject = (...reasons: string[]): Outcome => ({ verdict: 'reject', reasons });

/** Superiority: the challenger must be proved better than the champion, on the same rows. */
export const beatsChampion = definePolicy({
  name: 'beats-champion',
  docs:
    "Accepts a challenger whose loss is lower than the champion's on the same rows with a one-sided p of at " +
    'most alpha x 6 / (pi^2 k^2) for the k-th try against this champion, and whose deployed seed is itself ' +
    'better. Fewer than 20 independent horizons: insufficient evidence, the champion stays. A first champion ' +
    'is accepted and marked when it does not beat naive; requireSkill refuses it.',
  params,
  decide(evidence, { alpha, requireSkill }) {
    const alphaK = levelOfTry(alpha, evidence.tries.k);
    const outcome = outcomeOf(evidence, alphaK, requireSkill);
    return { ...outcome, evidence: { ...evidence, policy: 'beats-champion', alphaK } };
  },
});

function outcomeOf(evidence: Evidence, alphaK: number, requireSkill: boolean): Outcome {
  const finite = (loss: number | null): boolean => loss !== null && Number.isFinite(loss);
  const losses = [evidence.servedLoss, ...evidence.comparisons.map((c) => c.challengerLoss)];
  if (!losses.every(finite)) {
    return reject(
      'A loss on the test rows is not a finite number: nothing can be said of this model',
    );
  }
  return evidence.championVersion === null
    ? decideFirst(evidence, alphaK, requireSkill)
    : decideAgainst(evidence.championVersion, evidence, alphaK);
}

function decideFirst(evidence: Evidence, alphaK: number, requireSkill: boolean): Outcome {
  const proved = (name: string): boolean =>
    evidence.comparisons.some((c) => c.against === name && provedBetter(c, alphaK));
  const missing = [NAIVE, TRAINING_MEAN].filter((name) => !proved(name));
  if (requireSkill && missing.length > 0) {
    return reject(
      `requireSkill: a first champion must be proved better than ${missing.join(' and ')} ` +
        `(p <= ${alphaK.toPrecision(3)}), and this one is not`,
      evidence.verdict.replace(/\.$/, ''),
    );
  }
  const mark = evidence.beatsNaive
    ? 'it is proved better than the naive forecast'
    : 'it is not proved better than the naive forecast, and each answer says so (beatsNaive: false)';
  return {
    verdict: 'accept',
    reasons: ['Nothing serves this model yet, so it becomes the first champion', mark],
  };
}

function decideAgainst(version: number, evidence: Evidence, alphaK: number): Outcome {
  const against = evidence.comparisons.find(
    (c) => c.against === 'champion' && c.version === version,
  );
  if (against === undefined) {
    return reject(
      `Insufficient evidence: champion v${version} and this version were not compared on common rows, ` +
        'so the champion stays',
    );
  }
  if (against.status === 'insufficientEvidence') {
    return reject(
      `Insufficient evidence: ${against.rows} common rows are ${against.independent.toFixed(1)} independent ` +
        `horizons of ${against.horizon} bars, ${MIN_INDEPENDENT} are needed, so the champion stays; that ` +
        'does not mean that the challenger is worse',
    );
  }
  if (against.status === 'notFinite' || against.test === null) {
    return reject('A loss is not a finite number, so the champion stays');
  }
  const { p } = against.test;
  const figures = `loss ${changeOf(against)} on ${against.rows} common rows, p = ${p.toPrecision(3)}`;
  if (!(p <= alphaK)) {
    return reject(
      `Not proved better than champion v${version}: ${figures}, and try ${evidence.tries.k} against this ` +
        `champion needs p <= ${alphaK.toPrecision(3)}`,
      ...powerReason(against),
    );
  }
  if (!provedBetter(against, alphaK)) {
    return reject(
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

/** Mean over seeds, as tested. */
function changeOf({ relativeDifference }: EvaluatedComparison): string {
  if (relativeDifference === null) return 'of unknown size';
  const percent = (100 * Math.abs(relativeDifference)).toFixed(2);
  return `${percent} % ${relativeDifference > 0 ? 'lower' : 'higher'}`;
}

function powerReason({ power }: EvaluatedComparison): string[] {
  if (power === null) return [];
  const probability = `${power.atLeast ? 'at least ' : ''}${Math.round(100 * power.reduction5)} %`;
  return [
    `this test (at the 5 % level) would have found a 5 % improvement with probability ${probability}`,
  ];
}
