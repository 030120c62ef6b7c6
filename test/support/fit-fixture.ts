import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createFitActivities, type FitHeartbeat } from '../../activities/fit.ts';
import type { FitInput, FitResult } from '../../activities/contracts.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import { experimentSpecSchema } from '../../core/spec/spec.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { createExperiment, experimentEvents } from '../../registry/experiments.ts';
import { createTrainer } from '../../workers/training-slot.ts';
import { plantedPrepared, type PlantedOptions } from './planted-prepared.ts';
import { openTestDatabase, type TestDatabase } from './postgres.ts';
import { noWebhooks } from './no-webhooks.ts';

export interface FitFixture {
  readonly database: TestDatabase;
  readonly artifacts: ArtifactStore;
  /** Folder of the artifacts, for tests that damage one. */
  readonly root: string;
  /** Stores prepared data and an experiment that asks for this network (or what `change` of the spec says) on it. */
  ask(
    hyperparameters: Readonly<Record<string, unknown>>,
    planted?: PlantedOptions,
    change?: Readonly<Record<string, unknown>>,
  ): Promise<FitInput>;
  /** Starts one attempt of the activity in its own context. */
  attempt(input: FitInput, options?: AttemptOptions): Attempt;
  close(): Promise<void>;
}

export interface AttemptOptions {
  readonly attempt?: number;
  readonly runId?: string;
  readonly onHeartbeat?: (at: FitHeartbeat) => void;
  readonly artifacts?: ArtifactStore;
}

export interface Attempt {
  readonly result: Promise<FitResult>;
  /** Process id of the training child, 0 before there is one. */
  readonly pid: () => number;
  readonly cancel: () => void;
}

/** A real database, artifact store and training child around the fit activity. */
export async function openFitFixture(): Promise<FitFixture> {
  const database = await openTestDatabase();
  const root = await mkdtemp(join(tmpdir(), 'ratchet-fit-'));
  const artifacts = openDirectoryStore(root);
  const { db } = database;
  let experiments = 0;
  return {
    database,
    artifacts,
    root,
    async ask(hyperparameters, planted, change) {
      const spec = experimentSpecSchema.parse({
        name: 'planted',
        model: 'planted',
        data: { sources: [{ dataset: 'planted' }], instruments: ['PLANTED'] },
        label: { horizons: [1, 2, 3] },
        hyperparameters,
        ...change,
      });
      const experimentId = `experiment-${experiments++}`;
      const names = { name: 'planted', model: 'planted', specHash: experimentId };
      const workflowId = `experiment/${experimentId}`;
      await createExperiment(db, { id: experimentId, ...names, spec, workflowId, actor: 'test' });
      const prepared = await artifacts.put(encodePrepared(plantedPrepared(planted)));
      const unit = { model: 'planted', instruments: ['PLANTED'] };
      return { experimentId, unit, prepared, family: spec.family, seed: 1 };
    },
    attempt: (input, options = {}) => startAttempt(database, artifacts, input, options),
    async close() {
      await database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function startAttempt(
  { db }: TestDatabase,
  artifacts: ArtifactStore,
  input: FitInput,
  options: AttemptOptions,
): Attempt {
  const environment = new MockActivityEnvironment({
    attempt: options.attempt ?? 1,
    activityId: '1',
    workflowExecution: { workflowId: input.experimentId, runId: options.runId ?? 'run' },
  });
  environment.on('heartbeat', (at: FitHeartbeat) => options.onHeartbeat?.(at));
  let pid = 0;
  const nothing = (): void => {};
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const deps: ActivityDeps = {
    db,
    artifacts: options.artifacts ?? artifacts,
    datasets: new Map(),
    sourceContext: () => {
      throw new Error('a fit collects nothing');
    },
    trainer: createTrainer({ log, onStart: (started) => (pid = started) }),
    sign: () => new Uint8Array(0),
    trustedKeys: [],
    webhooks: noWebhooks,
    events: experimentEvents(db),
    clock: () => 0,
    codeVersion: 'test',
    log,
  };
  const { fit } = createFitActivities(deps);
  return {
    result: environment.run(fit, input) as Promise<FitResult>,
    pid: () => pid,
    cancel: () => environment.cancel(),
  };
}
