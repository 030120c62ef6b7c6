/** What every policy asks before its own question. */
import type { EvaluatedComparison } from '../evaluation/evaluation.ts';
import {
  MAJORITY,
  NAIVE,
  NAIVE_BASELINE,
  referenceName,
  TRAINING_MEAN,
} from '../evaluation/references.ts';
import { provedBetter } from '../evaluation/verdict.ts';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import type { Decision, Evidence } from './policy.ts';

export type Outcome = Pick<Decision, 'verdict' | 'reasons'> & {
  /**
   * What a refusal rests on. `insufficient`: too few rows; `unproved`: the test did not show it. Both are silent on
   * whether the challenger is worse, so a trial may still show it.
   */
  readonly because?: 'insufficient' | 'unproved';
};
export const reject = (...reasons: string[]): Outcome => ({ verdict: 'reject', reasons });
export const unproved = (...reasons: string[]): Outcome => ({
  ...reject(...reasons),
  because: 'unproved',
});

/**
 * The refusal as it stands, or `continue` where a trial may decide: on too few rows always; on rows that showed
 * nothing only for a refitted version, which is another model than the twin that the rows tell of.
 */
export function leftToTrial(
  outcome: Outcome,
  { trial = 'none', refit = false }: Evidence,
): Outcome {
  const { because, ...decided } = outcome;
  if (trial === 'none' || because === undefined) return decided;
  if (because === 'unproved' && !refit) return decided;
  const who = trial === 'manual' ? 'A person decides' : 'The rows of its trial decide';
  return { verdict: 'continue', reasons: [`${who}: a ${trial} trial begins`, ...decided.reasons] };
}

/** The refusal of a version with a loss that is not a finite number; undefined where all are. */
export function refuseNotFinite(evidence: Evidence): Outcome | undefined {
  const finite = (loss: number | null): boolean => loss !== null && Number.isFinite(loss);
  const losses = [evidence.servedLoss, ...evidence.comparisons.map((c) => c.challengerLoss)];
  if (losses.every(finite)) return undefined;
  return reject(
    'A loss on the test rows is not a finite number: nothing can be said of this model',
  );
}

/** A model that nothing serves yet: accepted and marked, unless proof over the references is asked for. */
export function decideFirst(evidence: Evidence, alphaK: number, requireSkill: boolean): Outcome {
  const proved = (name: string): boolean =>
    evidence.comparisons.some((c) => c.against === name && provedBetter(c, alphaK));
  const ofClasses = evidence.comparisons.some((c) => c.against === MAJORITY);
  const references = ofClasses ? [MAJORITY] : [NAIVE, TRAINING_MEAN];
  const missing = references.filter((name) => !proved(name));
  if (requireSkill && missing.length > 0) {
    return reject(
      `requireSkill: a first champion must be proved better than ${missing.map((name) => referenceName(name, { ofClasses })).join(' and ')} ` +
        `(p <= ${alphaK.toPrecision(3)}), and this one is not`,
      evidence.verdict.replace(/\.$/, ''),
    );
  }
  const mark = evidence.beatsNaive
    ? `it is proved better than ${NAIVE_BASELINE}`
    : `it is not proved better than ${NAIVE_BASELINE}, and each answer says so (beatsNaive: false)`;
  return {
    verdict: 'accept',
    reasons: ['Nothing serves this model yet, so it becomes the first champion', mark],
  };
}

/**
 * Is this version tested at all, so that it counts as a try? Against a champion, too few common rows are seen by their
 * number alone: that is no test, and the trial that may follow is the first.
 */
export function isTested({
  championVersion,
  comparisons,
}: Pick<Evidence, 'championVersion' | 'comparisons'>): boolean {
  if (championVersion === null) return true;
  const against = comparisonWith(championVersion, comparisons);
  return against !== undefined && against.status !== 'insufficientEvidence';
}

const comparisonWith = (
  version: number,
  comparisons: Evidence['comparisons'],
): EvaluatedComparison | undefined =>
  comparisons.find((c) => c.against === 'champion' && c.version === version);

export type TestedComparison = EvaluatedComparison & {
  readonly test: NonNullable<EvaluatedComparison['test']>;
};

/** The test against this champion, or the refusal where there is none: too few rows, or no finite loss. */
export function testedAgainst(
  version: number,
  evidence: Evidence,
): { readonly tested: TestedComparison } | { readonly refusal: Outcome } {
  const against = comparisonWith(version, evidence.comparisons);
  const refuse = (reason: string): { refusal: Outcome } => ({ refusal: reject(reason) });
  const tooFew = (reason: string): { refusal: Outcome } => ({
    refusal: { ...reject(reason), because: 'insufficient' },
  });
  if (against === undefined) {
    return tooFew(
      `Insufficient evidence: champion v${version} and this version were not compared on common rows, ` +
        'so the champion stays',
    );
  }
  if (against.status === 'insufficientEvidence') {
    return tooFew(
      `Insufficient evidence: ${against.rows} common rows are ${against.independent.toFixed(1)} independent ` +
        `horizons of ${against.horizon} bars, ${MIN_INDEPENDENT} are needed, so the champion stays; that ` +
        'does not mean that the challenger is worse',
    );
  }
  const { test } = against;
  if (against.status === 'notFinite' || test === null) {
    return refuse('A loss is not a finite number, so the champion stays');
  }
  return { tested: { ...against, test } };
}

/** Mean over seeds, as tested: "1.20 % lower". */
export function changeOf({ relativeDifference }: EvaluatedComparison): string {
  if (relativeDifference === null) return 'of unknown size';
  const percent = (100 * Math.abs(relativeDifference)).toFixed(2);
  return `${percent} % ${relativeDifference > 0 ? 'lower' : 'higher'}`;
}
