/** What a lifecycle says of itself, from the facts of one look; pure, so that every state can be read in a test. */
import type { TrialProgress } from '../policies/trial.ts';
import { stateOf } from '../policies/trial.ts';
import type { RetrainDecision, RetrainFacts } from './retrain-rule.ts';

export interface LifecycleView {
  readonly facts: RetrainFacts;
  /** null: not looked at (a person's act outside of market time). */
  readonly retrain: RetrainDecision | null;
  readonly runningRetrain: {
    readonly experimentId: string;
    readonly reasons: readonly string[];
  } | null;
  readonly trial: {
    readonly version: number;
    readonly kind: 'shadow' | 'canary' | 'manual';
    readonly mode: 'prove' | 'guard';
    readonly share: number;
    readonly reasons: readonly string[];
    readonly progress: TrialProgress | null;
    /** Sessions since it began, and at most (manual: days of wall time). */
    readonly elapsed: number;
    readonly maxDays: number;
  } | null;
}

export type LifecycleStateName = 'no-champion' | 'frozen' | 'retraining' | 'on-trial' | 'watching';

export interface Explained {
  readonly state: LifecycleStateName;
  /** Whole sentences: state, why it is not retrained, when next, what stands between a challenger and its promotion. */
  readonly sentences: readonly string[];
}

export function explain(view: LifecycleView): Explained {
  return { state: stateName(view), sentences: sentencesOf(view) };
}

function stateName({ facts, runningRetrain, trial }: LifecycleView): LifecycleStateName {
  if (facts.frozen !== null) return 'frozen';
  if (trial) return 'on-trial';
  if (runningRetrain) return 'retraining';
  return facts.championVersion === null ? 'no-champion' : 'watching';
}

function sentencesOf(view: LifecycleView): string[] {
  const { facts, retrain, runningRetrain, trial } = view;
  const said: string[] = [];
  said.push(
    facts.championVersion === null
      ? 'Nothing serves this model yet.'
      : `Version ${facts.championVersion} is champion; its newest label is ${spanOf(facts.age)} old.`,
  );
  if (facts.frozen !== null) {
    said.push(`The model is frozen (${facts.frozen}): it is retrained and promoted by hand only.`);
  }
  if (runningRetrain) {
    const why = runningRetrain.reasons.map(reasonWords).join(' and ');
    said.push(`A retrain is under way (experiment ${runningRetrain.experimentId}) ${why}.`);
  }
  if (trial) said.push(...trialSentences(trial));
  if (retrain?.action === 'wait' && !runningRetrain) said.push(...waitSentences(retrain));
  return said;
}

function waitSentences({
  reasons,
  why,
  inSessions,
}: Extract<RetrainDecision, { action: 'wait' }>): string[] {
  if (reasons.length === 0) return [`${capital(why.join('; '))}.`];
  const wanted = `A retrain is wanted ${reasons.map(reasonWords).join(' and ')}, and waits: ${why.join('; ')}.`;
  return inSessions === null ? [wanted] : [wanted, `It may begin in ${spanOf(inSessions)}.`];
}

function trialSentences(trial: NonNullable<LifecycleView['trial']>): string[] {
  const { version, kind, mode, progress, elapsed, maxDays, share } = trial;
  if (kind === 'manual') {
    return [
      `Version ${version} waits for a person: ratchet approve or ratchet reject, within ${maxDays} days.`,
    ];
  }
  const what =
    mode === 'prove'
      ? 'only rows of this trial can promote it'
      : 'it was proved offline, and is promoted unless the trial shows harm';
  const traffic =
    kind === 'canary' ? ` It answers ${Math.round(100 * share)} % of the traffic.` : '';
  const said = [
    `Version ${version} is in a ${kind} trial, session ${elapsed} of ${maxDays}: ${what}.${traffic}`,
  ];
  if (progress) said.push(`So far: ${stateOf(progress)}.`);
  const need = needOf(trial);
  if (need !== undefined) said.push(need);
  return said;
}

/** What blocks a promotion now. */
function needOf({
  mode,
  progress,
  maxDays,
}: NonNullable<LifecycleView['trial']>): string | undefined {
  if (!progress || progress.rows === 0) return 'No prediction of the trial is settled yet.';
  if (mode === 'guard') {
    return `It ends well once its rows suffice and show no harm, at the latest after session ${maxDays}.`;
  }
  if (progress.status === 'insufficientEvidence') {
    return 'There are too few settled rows to decide anything yet.';
  }
  const more = rowsToDecide(progress);
  if (more === null) return 'At the present difference the trial would not decide.';
  return `At the present difference it would decide after about ${more} more settled rows.`;
}

/**
 * Rows until the lower bound of the confidence sequence crosses 0 at the present mean: the half width shrinks about
 * with the root of the rows. null: never, as the challenger is not better.
 */
export function rowsToDecide({ meanDifference, lower, rows }: TrialProgress): number | null {
  if (meanDifference === null || lower === null || meanDifference <= 0) return null;
  if (lower > 0) return 0;
  const halfWidth = meanDifference - lower;
  return Math.max(1, Math.ceil(rows * ((halfWidth / meanDifference) ** 2 - 1)));
}

const REASONS: Readonly<Record<string, string>> = {
  loss: 'because its realised loss rose',
  'input-twice': 'because its inputs drifted in two reports in a row',
  stale: 'because it is stale',
  cadence: 'by its cadence',
  asked: 'because somebody asked',
};
export const reasonWords = (reason: string): string => REASONS[reason] ?? reason;

const spanOf = (sessions: number): string =>
  sessions === 1 ? '1 session' : `${sessions} sessions`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
