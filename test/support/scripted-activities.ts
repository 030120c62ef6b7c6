import { ApplicationFailure } from '@temporalio/common';
import type {
  AwaitReplicasResult,
  DecideResult,
  FitInput,
  IntentResult,
  SearchPlan,
  SkipResult,
  SwitchResult,
} from '../../activities/contracts.ts';
import type { Activities } from '../../activities/index.ts';
import { calmLife } from './scripted-lifecycle.ts';
import { calmSearch } from './scripted-search.ts';

const artifact = { uri: 'cas/00', sha256: '00', bytes: 1 };

export interface Script {
  readonly units?: readonly string[];
  readonly seeds?: readonly number[];
  /** One unit that fails fails alone. */
  readonly apart?: boolean;
  readonly search?: SearchPlan;
  readonly validation?: readonly string[];
  readonly skip?: SkipResult;
  readonly decision?: Partial<DecideResult>;
  readonly intent?: IntentResult;
  readonly replicas?: AwaitReplicasResult;
  readonly switched?: SwitchResult;
  /** Replaces single activities, e.g. by one that throws on its first attempt. */
  readonly override?: Partial<Activities>;
}

/**
 * Activities that answer by a script, so that a test sees only what the workflow decides. `calls` records
 * each call's name and input in order.
 */
export function scriptedActivities(script: Script = {}): {
  activities: Activities;
  calls: { name: keyof Activities; input: unknown }[];
} {
  const calls: { name: keyof Activities; input: unknown }[] = [];
  const units = script.units ?? ['index-gspc'];
  const answers: Activities = {
    openExperiment: async ({ experimentId }) => ({
      experimentId,
      units: units.map((model) => ({ model, instruments: [model.replace('index-', '^')] })),
      seeds: script.seeds ?? [1, 2, 3],
      family: 'lstm-multi-horizon',
      baselines: ['naive', 'ridge'],
      specHash: 'spec',
      ...(script.apart && { apart: true }),
      ...(script.search && { search: script.search }),
    }),
    finishExperiment: async () => undefined,
    noteFailedUnit: async () => undefined,
    collect: async ({ instrument }) => ({
      instrument,
      datasetHash: `hash-${instrument}`,
      bars: artifact,
      firstBar: '1999-01-04',
      lastBar: '2018-12-31',
      deliveredBy: 'csv',
      cached: false,
    }),
    validate: async () => ({
      reports: artifact,
      passed: (script.validation ?? []).length === 0,
      reasons: script.validation ?? [],
      cached: false,
    }),
    findFittingVersion: async () => script.skip ?? { skip: false },
    buildFeatures: async () => ({
      prepared: artifact,
      samples: { train: 3000, valid: 600, test: 600 },
      cached: false,
    }),
    fit: async ({ family, seed }: FitInput) => ({
      family,
      seed,
      fitted: artifact,
      weightsDigest: `weights-${seed}`,
      bestValidLoss: seed,
      bestEpoch: 3,
      epochsRun: 5,
      attempt: 1,
      resumedFromEpoch: null,
      cached: false,
    }),
    planBacktest: async () => ({ folds: [] }),
    openFold: async ({ fold }) => ({ experimentId: `01JFOLD${fold.fold}` }),
    leaveFold: async () => ({ unwanted: true }),
    noteFold: async () => undefined,
    answerFold: async ({ fold }) => ({ fold: fold.fold, answers: [] }),
    adviseBacktest: async () => ({ advice: artifact }),
    simulateBacktest: async () => ({ verdict: 'Earned no more than holding.' }),
    failBacktest: async () => undefined,
    planBatchPrediction: async () => ({ parts: 3 }),
    answerPart: async ({ part }) => ({ part, answers: { ...artifact, rows: 10 }, cached: false }),
    finishBatchPrediction: async () => ({ rows: 30, failed: 1, manifest: artifact }),
    failBatchPrediction: async () => undefined,
    openEvaluation: async () => undefined,
    topUpEvaluated: async () => ({ missing: [] }),
    evaluateVersion: async () => ({ verdict: 'Better than naive.' }),
    failEvaluation: async () => undefined,
    openParity: async ({ reportId }) => ({ reportId: reportId ?? 'parity-1' }),
    replayPredictions: async ({ reportId }) => ({
      ...{ reportId, done: true, replayed: 100, late: 0, different: 0 },
    }),
    failParity: async () => undefined,
    evaluate: async () => ({
      evaluation: artifact,
      servedSeed: 2,
      beatsNaive: true,
      verdict: 'Better than naive.',
    }),
    packageModel: async () => ({ version: 7, manifest: artifact, packageDigest: '00' }),
    register: async ({ unit }) => ({ model: unit.model, version: 7 }),
    decide: async () => ({
      verdict: 'accept',
      reasons: ['first champion'],
      promotionId: '01PROMOTION',
      expectedGeneration: 0,
      ...script.decision,
    }),
    announcePromotion: async () => script.intent ?? { status: 'announced', replicas: 1 },
    awaitReplicas: async () => script.replicas ?? { status: 'ready' },
    switchChampion: async () => script.switched ?? { status: 'promoted', generation: 1 },
    withdrawPromotion: async () => undefined,
    ...calmSearch(),
    ...calmLife(),
    ...script.override,
  };
  const recorded = Object.entries(answers).map(([name, answer]) => [
    name,
    (input: never): Promise<unknown> => {
      calls.push({ name: name as keyof Activities, input });
      return (answer as (input: never) => Promise<unknown>)(input);
    },
  ]);
  return { activities: Object.fromEntries(recorded) as Activities, calls };
}

/** Throws `error` on the first `times` calls, then answers. */
export function failingFirst<T>(times: number, error: Error, answer: T): () => Promise<T> {
  let left = times;
  return async () => {
    if (left-- > 0) throw error;
    return answer;
  };
}

/** An error no retry can mend, as activities/failures.ts makes it. */
export const permanent = (code: string, message: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(message, code);
