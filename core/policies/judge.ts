/** The rule of a trial that the policies share; they differ in what must be proved, and in words. */
import {
  brokenGuard,
  stateOf,
  stepShare,
  testRows,
  type Tested,
  type TrialDecision,
  type TrialEvidence,
} from './trial.ts';

export interface Claim {
  /** Share of the champion's loss that the challenger may lose more: 0 for superiority. */
  readonly margin: number;
  /** "Proved better than champion v3". */
  readonly proved: string;
}

/**
 * Guards first, then harm, then proof, then time. A trial of mode `guard` was proved offline and can only be stopped: it
 * ends well when its rows suffice and show no harm, at the latest at `maxDays`, when it answered at all. Of mode `prove`,
 * undecided at `maxDays`, the champion stays.
 */
export function judgeTrial(evidence: TrialEvidence, claim: Claim): TrialDecision {
  const tested = testRows(evidence, claim.margin);
  const share = stepShare(evidence);
  const answer = (verdict: TrialDecision['verdict'], ...reasons: string[]): TrialDecision => ({
    verdict,
    reasons,
    share: verdict === 'continue' ? share : 0,
    progress: tested.progress,
  });
  const broken = brokenGuard(evidence);
  if (broken !== undefined) return answer('abort', `Aborted: ${broken}`);
  if (tested.verdict.status === 'notFinite') {
    return answer('abort', 'Aborted: a loss of the trial is not a finite number');
  }
  const state = stateOf(tested.progress);
  // Of a margin test "worse" would mean worse by more than nothing lost: harm is asked without a margin.
  if (isHarmful(evidence, tested, claim)) {
    return answer(
      'abort',
      `Aborted for harm: worse than champion v${evidence.championVersion}, ${state}`,
    );
  }
  const passed = passedOf(evidence, tested, claim, state);
  if (passed !== undefined) return answer('accept', ...passed);
  if (evidence.elapsed >= evidence.maxDays)
    return answer('undecided', undecided(evidence, tested, state));
  return answer(
    'continue',
    `The trial goes on: ${state}, ${evidence.elapsed} of ${evidence.maxDays} sessions`,
  );
}

function isHarmful(evidence: TrialEvidence, tested: Tested, { margin }: Claim): boolean {
  const superiority = margin === 0 ? tested : testRows(evidence);
  return superiority.verdict.decision === 'worse';
}

function passedOf(
  evidence: TrialEvidence,
  tested: Tested,
  claim: Claim,
  state: string,
): string[] | undefined {
  if (!stepsDone(evidence)) return undefined;
  const enough = tested.progress.independent >= evidence.minIndependent;
  if (evidence.mode === 'prove') {
    if (!enough || tested.verdict.decision !== 'better') return undefined;
    return [
      `${claim.proved} in its trial: ${state}, at level ${evidence.alpha.toPrecision(3)} at every look`,
    ];
  }
  if (!enough && !watchedToTheEnd(evidence)) return undefined;
  return [`Proved offline, and its trial showed no harm: ${state}`];
}

/** Long horizons settle too few rows in any trial (STATISTICS section 4): there time and answers without fault suffice. */
const watchedToTheEnd = ({ arms, elapsed, maxDays }: TrialEvidence): boolean =>
  elapsed >= maxDays && arms.challenger.requests > arms.challenger.errors;

/** A canary passes only after its last step has lasted its time. */
const stepsDone = ({ kind, steps, stepDays, elapsed }: TrialEvidence): boolean =>
  kind !== 'canary' || elapsed >= steps.length * stepDays;

function undecided(evidence: TrialEvidence, { progress }: Tested, state: string): string {
  const few =
    progress.status === 'insufficientEvidence' || progress.independent < evidence.minIndependent;
  const cause = few ? 'too few settled rows to decide' : 'nothing was proved';
  return (
    `Undecided after ${evidence.elapsed} sessions, so champion v${evidence.championVersion} stays: ` +
    `${cause}, ${state}; that does not mean that the challenger is worse`
  );
}
