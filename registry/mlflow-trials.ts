import { deflatedLoss } from '../core/search/best.ts';
import type { Experiment } from './experiments.ts';
import type { Db } from './in-transaction.ts';
import type { MlflowClient, MlflowMetric, MlflowRun, MlflowRunStatus } from './mlflow-client.ts';
import { ensureRun, flatParams, logMissingParams, mlflowName } from './mlflow-runs.ts';
import { findSearch, trialsOf, type Search, type SearchTrial } from './searches.ts';

const STATUS: Readonly<Record<SearchTrial['state'], MlflowRunStatus>> = {
  running: 'RUNNING',
  completed: 'FINISHED',
  pruned: 'FINISHED',
  failed: 'FAILED',
  cancelled: 'KILLED',
};
const ENDED: ReadonlySet<string> = new Set(['FINISHED', 'FAILED', 'KILLED']);

/**
 * The trials of a search as runs under the experiment's: parameters, validation loss by rung (step: training budget), what
 * became of each. A trial that is there as it ended is left as it is.
 */
export async function mirrorTrials(
  client: MlflowClient,
  db: Db,
  experiment: Experiment,
  { model, parent }: { readonly model: string; readonly parent: MlflowRun },
): Promise<void> {
  const key = { experimentId: experiment.id, model };
  const search = await findSearch(db, key);
  if (!search) return;
  const trials = await trialsOf(db, key);
  for (const trial of trials) await mirrorTrial(client, { experiment, search, parent, trial });
  await logSearch(client, parent, search, trials);
}

async function mirrorTrial(
  client: MlflowClient,
  at: {
    readonly experiment: Experiment;
    readonly search: Search;
    readonly parent: MlflowRun;
    readonly trial: SearchTrial;
  },
): Promise<void> {
  const { experiment, search, parent, trial } = at;
  const run = await ensureRun(client, {
    mlflowExperiment: parent.info.experiment_id,
    key: `${experiment.id}/${search.model}/trial-${trial.trial}`,
    name: `trial ${trial.trial}`,
    startTime: trial.started_at.getTime(),
    tags: { 'mlflow.parentRunId': parent.info.run_id, 'ratchet.experiment': experiment.id },
  });
  if (ENDED.has(run.info.status)) return;
  await logMissingParams(client, run, {
    trial: String(trial.trial),
    family: search.family,
    ...pointParams(trial),
  });
  await client.logBatch(run.info.run_id, {
    metrics: lossMetrics(trial, search.rungs),
    tags: {
      'ratchet.trial': trial.state,
      ...(trial.trial === search.best_trial && { 'ratchet.best': 'true' }),
      ...(trial.error !== null && { 'ratchet.error': trial.error }),
    },
  });
  const status = STATUS[trial.state];
  if (status === 'RUNNING') return;
  const endTime = trial.finished_at?.getTime();
  await client.updateRun(run.info.run_id, {
    status,
    ...(endTime === undefined ? {} : { endTime }),
  });
}

const pointParams = ({ point }: SearchTrial): Record<string, string> =>
  Object.assign(
    {},
    ...Object.entries(point).map(([path, value]) => flatParams(value, mlflowName(path))),
  ) as Record<string, string>;

/** Validation loss by rung; without rungs one value at step 0. */
export function lossMetrics(
  {
    losses,
    finished_at: finishedAt,
    started_at: startedAt,
  }: Pick<SearchTrial, 'losses' | 'finished_at' | 'started_at'>,
  rungs: readonly number[],
): MlflowMetric[] {
  const timestamp = (finishedAt ?? startedAt).getTime();
  return losses.map((value, rung) => ({
    key: 'validLoss',
    value,
    timestamp,
    step: rungs[rung] ?? 0,
  }));
}

/** What the search came to, on the experiment's own run. */
async function logSearch(
  client: MlflowClient,
  parent: MlflowRun,
  search: Search,
  trials: readonly SearchTrial[],
): Promise<void> {
  const best = trials.find(({ trial }) => trial === search.best_trial);
  if (!best || best.valid_loss === null) return;
  const completed = trials.flatMap(({ state, valid_loss: loss }) =>
    state === 'completed' && loss !== null ? [loss] : [],
  );
  const timestamp = (search.finished_at ?? search.started_at).getTime();
  const figures = {
    'search.trials': trials.length,
    'search.validLoss': best.valid_loss,
    'search.deflatedValidLoss': deflatedLoss(completed, trials.length),
  };
  await client.logBatch(parent.info.run_id, {
    metrics: Object.entries(figures).map(([key, value]) => ({ key, value, timestamp, step: 0 })),
    tags: {
      'ratchet.search': `${search.method}, best is trial ${best.trial}`,
      'ratchet.search.best': JSON.stringify(best.point),
    },
  });
}
