/** What an operator can be told of: one entry an event, with its words and where the evidence is. */

/** Facts that every alert about a model has. */
interface About {
  readonly model: string;
  /** Market time, ISO; null where no bar is involved. */
  readonly asOf: string | null;
}

/** Facts of each event. Small and without secrets: they are stored, sent and listed as they are. */
export interface AlertFacts {
  readonly 'champion.promoted': About & {
    readonly version: number;
    readonly former: number | null;
    /** Generation of the model that this promotion began. */
    readonly generation: number;
    readonly reason: string;
  };
  readonly 'champion.rolled-back': About & {
    readonly version: number;
    readonly former: number | null;
    readonly generation: number;
    readonly actor: string;
    readonly reason: string;
  };
  readonly 'trial.aborted': TrialEnd;
  readonly 'trial.undecided': TrialEnd;
  readonly 'trial.waiting-approval': About & {
    readonly version: number;
    readonly trialId: string;
    /** Wall days until the wait ends by itself. */
    readonly withinDays: number;
  };
  readonly 'drift.detected': About & {
    readonly version: number;
    readonly reportId: string;
    readonly reasons: readonly string[];
  };
  readonly 'retrain.failed': About & {
    readonly retrainId: string;
    readonly experimentId: string;
    readonly reason: string;
  };
  readonly 'model.stale': About & {
    readonly version: number;
    readonly reportId: string;
    readonly reason: string;
  };
  readonly 'parity.different': About & {
    readonly reportId: string;
    readonly replayed: number;
    readonly different: number;
    /** Differences by likely cause. */
    readonly byCause: Readonly<Record<string, number>>;
  };
  readonly 'parity.failed': About & { readonly reportId: string; readonly reason: string };
  /** Asked for by a person, to see that it arrives. */
  readonly 'alert.test': {
    readonly model: null;
    readonly asOf: null;
    readonly testId: string;
    /** Only to this one; null: to all. */
    readonly webhook: string | null;
  };
}

interface TrialEnd extends About {
  readonly version: number;
  readonly trialId: string;
  readonly reasons: readonly string[];
}

export type AlertEvent = keyof AlertFacts;

export interface AlertEventEntry<F> {
  /** What it tells, for documentation. */
  readonly title: string;
  /** The same occurrence, the same key: told once, however often an activity repeats. */
  readonly key: (facts: F) => string;
  /** One or two plain sentences. */
  readonly words: (facts: F) => string;
  /** Path of the API that shows the evidence; null: there is none. */
  readonly evidence: (facts: F) => string | null;
}

const modelPath = (model: string, rest: string): string => `/api/v1/ml-models/${model}/${rest}`;
const sentence = (text: string): string => (/[.!?]$/.test(text.trim()) ? text : `${text.trim()}.`);
const list = (reasons: readonly string[]): string =>
  reasons.map((reason) => ` ${sentence(reason)}`).join('');
/** People write a reason as they like. */
const because = (reason: string): string => `Reason: ${sentence(reason)}`;
const trialPath = ({ model, trialId }: { model: string; trialId: string }): string =>
  modelPath(model, `trials/${trialId}`);
const after = (former: number | null): string =>
  former === null ? 'its first champion' : `in place of version ${former}`;

export const alertEvents: {
  readonly [E in AlertEvent]: AlertEventEntry<AlertFacts[E]>;
} = {
  'champion.promoted': {
    title: 'A version became the champion.',
    key: ({ model, generation }) => `${model}/${generation}`,
    words: ({ model, version, former, reason }) =>
      `Version ${version} of ${model} serves now, ${after(former)}. ${because(reason)}`,
    evidence: ({ model }) => modelPath(model, 'champion'),
  },
  'champion.rolled-back': {
    title: 'An earlier version became the champion again.',
    key: ({ model, generation }) => `${model}/${generation}`,
    words: ({ model, version, former, actor, reason }) =>
      `Version ${version} of ${model} serves again, ${after(former)}: rolled back by ${actor}. ${because(reason)}`,
    evidence: ({ model }) => modelPath(model, 'champion'),
  },
  'trial.aborted': {
    title: 'A trial was stopped because the challenger did harm.',
    key: ({ trialId }) => trialId,
    words: ({ model, version, reasons }) =>
      `The trial of version ${version} of ${model} was stopped; the champion stays.${list(reasons)}`,
    evidence: trialPath,
  },
  'trial.undecided': {
    title: 'A trial ended without enough evidence; the champion stays.',
    key: ({ trialId }) => trialId,
    words: ({ model, version, reasons }) =>
      `The trial of version ${version} of ${model} ended undecided; the champion stays.${list(reasons)}`,
    evidence: trialPath,
  },
  'trial.waiting-approval': {
    title: 'A challenger waits for a person to approve or reject it.',
    key: ({ trialId }) => trialId,
    words: ({ model, version, withinDays }) =>
      `Version ${version} of ${model} waits for approval. Without an answer within ${withinDays} days the champion stays: ratchet approve ${model}, or ratchet reject ${model}.`,
    evidence: trialPath,
  },
  'drift.detected': {
    title: 'A drift report asks for a retrain.',
    key: ({ reportId }) => reportId,
    words: ({ model, version, reasons }) =>
      `A drift report of ${model} (version ${version}) asks for a retrain.${list(reasons)}`,
    evidence: ({ model }) => modelPath(model, 'drift'),
  },
  'retrain.failed': {
    title: 'A retrain failed or was cancelled; the champion stays.',
    key: ({ retrainId }) => retrainId,
    words: ({ model, experimentId, reason }) =>
      `The retrain of ${model} (experiment ${experimentId}) failed; the champion stays. ${because(reason)}`,
    evidence: ({ experimentId }) => `/api/v1/experiments/${experimentId}`,
  },
  'model.stale': {
    title: 'The champion is older than its specification allows.',
    // Once a version: a stale model stays stale in every report until it is replaced.
    key: ({ model, version }) => `${model}/${version}`,
    words: ({ model, version, reason }) =>
      `Version ${version} of ${model} is stale. ${sentence(reason)}`,
    evidence: ({ model }) => modelPath(model, 'drift'),
  },
  'parity.different': {
    title: 'Predictions that were served come out otherwise when they are computed again.',
    key: ({ reportId }) => reportId,
    words: ({ model, reportId, replayed, different, byCause }) => {
      const causes = Object.entries(byCause).map(([cause, n]) => `${cause} ${n}`);
      return `Of ${replayed} served predictions of ${model} ${different} come out otherwise when they are computed again (${causes.join(', ')}). The differences: \`ratchet parity ${model} --show ${reportId}\`.`;
    },
    evidence: ({ model, reportId }) => modelPath(model, `parity/${reportId}`),
  },
  'parity.failed': {
    title: 'What was served could not be computed again in a night; the next one makes up for it.',
    key: ({ reportId }) => reportId,
    words: ({ model, reason }) =>
      `What was served of ${model} could not be computed again; the next night makes up for it. ${because(reason)}`,
    evidence: ({ model, reportId }) => modelPath(model, `parity/${reportId}`),
  },
  'alert.test': {
    title: 'Asked for by a person (`ratchet alerts test`); every webhook gets it.',
    key: ({ testId }) => testId,
    words: () => 'This is a test. Alerts of Ratchet arrive here.',
    evidence: () => null,
  },
};

/** Names, in the order of the documentation. */
export const ALERT_EVENTS = Object.keys(alertEvents) as readonly AlertEvent[];

/** Those that an operator can choose; the test goes to every webhook. */
export const CHOSEN_EVENTS = ALERT_EVENTS.filter((event) => event !== 'alert.test');
