import { z } from 'zod';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import { definePolicy, type ComparisonEvidence, type Decision, type Evidence } from './policy.ts';

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

/** Level of the k-th challenger against one champion: the levels of all tries add up to alpha. */
export function alphaOfTry(alpha: number, k: number): number {
  return (alpha * 6) / (Math.PI ** 2 * k ** 2);
}

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
    const k = Math.max(1, Math.floor(evidence.tries.k));
    const alphaK = Number.isFinite(k) ? alphaOfTry(alpha, k) : 0;
    const outcome =
      evidence.championVersion === null
        ? decideFirst(evidence, alphaK, requireSkill)
        : decideAgainst(evidence.championVersion, evidence, alphaK);
    return { ...outcome, evidence: { ...evidence, policy: 'beats-champion', alphaK } };
  },
});

function decideFirst(evidence: Evidence, alphaK: number, requireSkill: boolean): Outcome {
  if (!Number.isFinite(evidence.servedLoss)) {
    return reject('The loss on the test rows is not a finite number: nothing can be said of it.');
  }
  const failing = evidence.references.filter((r) => !provedBetter(r, alphaK));
  const notProved = failing.map((r) => r.against);
  if (requireSkill && (notProved.length > 0 || !evidence.beatsNaive)) {
    return reject(
      `requireSkill: the first champion must be proved better than ${listOf(notProved, 'naive')}, and is not ` +
        `(level ${percent(alphaK)}).`,
      evidence.verdict,
    );
  }
  const mark = evidence.beatsNaive
    ? 'It beats the naive forecast.'
    : 'It is not proved better than the naive forecast; each answer says so (beatsNaive: false).';
  return {
    verdict: 'accept',
    reasons: ['Nothing serves this model yet, so it becomes the first champion.', mark],
  };
}

function decideAgainst(version: number, evidence: Evidence, alphaK: number): Outcome {
  const against = evidence.champion;
  if (against === null) {
    return reject(
      `Champion v${version} and this version have no test rows in common: insufficient evidence, the champion stays.`,
    );
  }
  const { comparison, servedMeanDifference } = against;
  if (comparison.status === 'insufficientEvidence') {
    return reject(
      `Insufficient evidence: ${comparison.rows} common rows are ${comparison.independent.toFixed(1)} independent ` +
        `horizons of ${comparison.horizon} bars, ${MIN_INDEPENDENT} are needed. The champion stays; this does not ` +
        'mean that the challenger is worse.',
    );
  }
  if (comparison.status === 'notFinite' || comparison.test === null) {
    return reject('A loss is not a finite number: the champion stays.');
  }
  const { p } = comparison.test;
  const gain = percent(comparison.relativeDifference);
  if (!(p <= alphaK)) {
    return reject(
      `Not proved better than champion v${version}: loss ${gain} lower, p = ${p.toPrecision(3)}, and try ` +
        `${evidence.tries.k} against this champion needs p <= ${alphaK.toPrecision(3)}.`,
    );
  }
  if (!(servedMeanDifference > 0)) {
    return reject(
      `The seeds together are better than champion v${version} (p = ${p.toPrecision(3)}), but the seed that would ` +
        'be deployed is not better by itself.',
    );
  }
  return {
    verdict: 'accept',
    reasons: [
      `Proved better than champion v${version}: loss ${gain} lower on ${comparison.rows} common rows, ` +
        `p = ${p.toPrecision(3)} <= ${alphaK.toPrecision(3)} (try ${evidence.tries.k}).`,
    ],
  };
}

function provedBetter(
  { comparison, servedMeanDifference }: ComparisonEvidence,
  level: number,
): boolean {
  return comparison.test !== null && comparison.test.p <= level && servedMeanDifference > 0;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function listOf(names: readonly string[], otherwise: string): string {
  return names.length === 0 ? otherwise : names.join(', ');
}
