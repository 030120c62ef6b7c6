import type { EpochEvent } from '../core/models/model.ts';
import { getExperiment, readEvents, type Experiment, type ExperimentEvent } from './experiments.ts';
import type { Db } from './in-transaction.ts';
import type { MlflowClient, MlflowMetric, MlflowRun, MlflowRunStatus } from './mlflow-client.ts';
import { MlflowError } from './mlflow-http.ts';

/** Names our things in MLflow; looked for before anything is created. */
export const RUN_TAG = 'ratchet.run';
const EVENTS_PAGE = 500;
const PARAM_DEPTH_MAX = 6;

/**
 * The MLflow experiment of a registered model (MLflow's word for the runs of one thing). One that a
 * person deleted comes back: its name stays taken.
 */
export async function ensureMlflowExperiment(client: MlflowClient, model: string): Promise<string> {
  const found = await client.experimentByName(model);
  if (found === undefined) {
    try {
      return await client.createExperiment(model, { 'ratchet.model': model });
    } catch (error) {
      const exists = error instanceof MlflowError && error.errorCode === 'RESOURCE_ALREADY_EXISTS';
      const now = exists ? await client.experimentByName(model) : undefined;
      if (now === undefined) throw error;
      return now.experiment_id;
    }
  }
  if (found.lifecycle_stage === 'deleted') await client.restoreExperiment(found.experiment_id);
  return found.experiment_id;
}

export interface RunIdentity {
  readonly mlflowExperiment: string;
  /** Our name of the run: unique in MLflow by tag. */
  readonly key: string;
  readonly name: string;
  readonly startTime: number;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * The one run with our tag, created where there is none. MLflow knows no conditional create: should two
 * deliveries have overlapped, the run with the smallest id stays and the others are deleted.
 */
export async function ensureRun(client: MlflowClient, identity: RunIdentity): Promise<MlflowRun> {
  const search = async (): Promise<MlflowRun | undefined> => {
    const filter = `tags.\`${RUN_TAG}\` = '${identity.key}'`;
    const runs = await client.searchRuns(identity.mlflowExperiment, filter);
    const [first, ...doubles] = runs.sort((a, b) => (a.info.run_id < b.info.run_id ? -1 : 1));
    for (const double of doubles) await client.deleteRun(double.info.run_id);
    return first;
  };
  const found = await search();
  if (found) return found;
  const created = await client.createRun({
    experimentId: identity.mlflowExperiment,
    name: identity.name,
    startTime: identity.startTime,
    tags: { ...identity.tags, [RUN_TAG]: identity.key },
  });
  return (await search()) ?? created;
}

/**
 * One of our experiments, as far as it concerns `model`: a parent run with the spec as parameters, and
 * a child run per seed with its losses by epoch. Undefined where the experiment is not recorded.
 */
export async function mirrorRuns(
  client: MlflowClient,
  db: Db,
  experimentId: string,
  model: string,
): Promise<MlflowRun | undefined> {
  const experiment = await getExperiment(db, experimentId);
  if (!experiment) return undefined;
  const mlflowExperiment = await ensureMlflowExperiment(client, model);
  const parent = await ensureRun(client, {
    mlflowExperiment,
    key: `${experimentId}/${model}`,
    name: experiment.name,
    startTime: (experiment.started_at ?? experiment.created_at).getTime(),
    tags: {
      'ratchet.experiment': experimentId,
      'ratchet.workflow': experiment.workflow_id,
      'ratchet.specHash': experiment.spec_hash,
      'mlflow.user': experiment.actor,
    },
  });
  await logMissingParams(client, parent, flatParams(experiment.spec));
  for (const [seed, epochs] of await epochsBySeed(db, experimentId, model)) {
    await mirrorSeed(client, { experiment, model, mlflowExperiment, parent, seed, epochs });
  }
  return parent;
}

interface SeedRun {
  readonly experiment: Experiment;
  readonly model: string;
  readonly mlflowExperiment: string;
  readonly parent: MlflowRun;
  readonly seed: number;
  readonly epochs: readonly ExperimentEvent[];
}

async function mirrorSeed(client: MlflowClient, seedRun: SeedRun): Promise<void> {
  const { experiment, model, parent, seed, epochs } = seedRun;
  const run = await ensureRun(client, {
    mlflowExperiment: seedRun.mlflowExperiment,
    key: `${experiment.id}/${model}/seed-${seed}`,
    name: `seed ${seed}`,
    startTime: epochs[0]?.at.getTime() ?? experiment.created_at.getTime(),
    tags: { 'mlflow.parentRunId': parent.info.run_id, 'ratchet.experiment': experiment.id },
  });
  await logMissingParams(client, run, { seed: String(seed), ...familyOf(experiment.spec) });
  const horizons = horizonsOf(experiment.spec);
  await client.logBatch(run.info.run_id, {
    metrics: epochs.flatMap((event) => epochMetrics(event, horizons)),
  });
  await endRun(client, run, experiment, epochs.at(-1)?.at);
}

/** Ends the run as our experiment ended; leaves it running while that runs. */
export async function endRun(
  client: MlflowClient,
  run: MlflowRun,
  experiment: Experiment,
  at: Date | null | undefined,
): Promise<void> {
  const status = RUN_STATUS[experiment.status];
  if (status === 'RUNNING') return;
  const endTime = (at ?? experiment.finished_at)?.getTime();
  await client.updateRun(run.info.run_id, {
    status,
    ...(endTime === undefined ? {} : { endTime }),
  });
}

const RUN_STATUS: Readonly<Record<Experiment['status'], MlflowRunStatus>> = {
  queued: 'RUNNING',
  running: 'RUNNING',
  completed: 'FINISHED',
  skipped: 'FINISHED',
  failed: 'FAILED',
  cancelled: 'KILLED',
};

/** Epoch events in order, by seed. */
async function epochsBySeed(
  db: Db,
  experimentId: string,
  model: string,
): Promise<Map<number, ExperimentEvent[]>> {
  const bySeed = new Map<number, ExperimentEvent[]>();
  let afterSeq = '0';
  for (;;) {
    const page = await readEvents(db, experimentId, {
      kind: 'epoch',
      afterSeq,
      limit: EVENTS_PAGE,
    });
    for (const event of page) {
      // A refit's epochs would continue the loss curve of the twin, which was evaluated; an older fold's are another.
      if (event.model !== model || event.seed === null || event.stage !== 'fit') continue;
      const events = bySeed.get(event.seed);
      if (events) events.push(event);
      else bySeed.set(event.seed, [event]);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < EVENTS_PAGE) return bySeed;
    afterSeq = last.seq;
  }
}

/**
 * Metrics of one epoch, e.g. `loss`, `validLoss_h7`. MLflow stores NaN and infinities as other numbers:
 * such values stay in PostgreSQL only. The event's own time makes a repeat the same point.
 */
export function epochMetrics(
  event: Pick<ExperimentEvent, 'at' | 'payload'>,
  horizons: readonly number[],
): MlflowMetric[] {
  const epoch = event.payload as Partial<EpochEvent>;
  const byHorizon = (name: string, values: readonly number[] | undefined) =>
    (values ?? []).map((value, i) => [`${name}_h${horizons[i] ?? i}`, value] as const);
  const values: (readonly [string, number | undefined])[] = [
    ['loss', epoch.loss],
    ['validLoss', epoch.validLoss],
    ['learningRate', epoch.learningRate],
    ['seconds', epoch.seconds],
    ['rssBytes', epoch.rssBytes],
    ...byHorizon('loss', epoch.lossByHorizon),
    ...byHorizon('validLoss', epoch.validLossByHorizon),
    ...byHorizon('validMae', epoch.validMaeByHorizon),
  ];
  const timestamp = event.at.getTime();
  const step = epoch.epoch ?? 0;
  return values.flatMap(([key, value]) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ key, value, timestamp, step }] : [],
  );
}

/** Parameters cannot change in MLflow: only those that are not there yet are sent. */
export async function logMissingParams(
  client: MlflowClient,
  run: MlflowRun,
  params: Readonly<Record<string, string>>,
): Promise<void> {
  const there = new Set(run.data.params.map(({ key }) => key));
  const missing = Object.entries(params).filter(([key]) => !there.has(key));
  await client.logBatch(run.info.run_id, { params: Object.fromEntries(missing) });
}

/** `{ a: { b: 1 } }` as `a.b = 1`; lists as JSON. */
export function flatParams(value: unknown, prefix = '', depth = 0): Record<string, string> {
  const isTree = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isTree || depth >= PARAM_DEPTH_MAX) {
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
    return prefix === '' ? {} : { [mlflowName(prefix)]: text };
  }
  const members = Object.entries(value).map(([key, member]) =>
    flatParams(member, prefix === '' ? key : `${prefix}.${key}`, depth + 1),
  );
  return Object.assign({}, ...members) as Record<string, string>;
}

/** Characters that MLflow refuses in names become `_`. */
export function mlflowName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_\-. :/]/g, '_').slice(0, 250);
}

function familyOf(spec: unknown): Record<string, string> {
  const { family } = spec as { family?: unknown };
  return typeof family === 'string' ? { family } : {};
}

function horizonsOf(spec: unknown): readonly number[] {
  const { label } = spec as { label?: { horizons?: readonly number[] } };
  return label?.horizons ?? [];
}
