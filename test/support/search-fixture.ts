import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDeps, Trainer } from '../../activities/deps.ts';
import { createSearchActivities } from '../../activities/search.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import { parseSpec, type ExperimentSpec } from '../../core/spec/index.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { createExperiment, experimentEvents } from '../../registry/experiments.ts';
import { createTrainer } from '../../workers/training-slot.ts';
import type { ArtifactRef } from '../../workflows/messages.ts';
import { noWebhooks } from './no-webhooks.ts';
import { plantedPrepared, type PlantedOptions } from './planted-prepared.ts';
import { openTestDatabase, type TestDatabase } from './postgres.ts';

type Search = ReturnType<typeof createSearchActivities>;

export interface SearchFixture {
  readonly database: TestDatabase;
  /** ms; what the activities take for the time. */
  clock: number;
  /** Trainings that began, by their hyperparameters. */
  readonly trained: unknown[];
  /** Stores prepared data and an experiment that asks for this search on it. */
  ask(spec: Readonly<Record<string, unknown>>, planted?: PlantedOptions): Promise<AskedSearch>;
  /** Each call is an activity of its own. */
  readonly activities: Search;
  close(): Promise<void>;
}

export interface AskedSearch {
  readonly key: { readonly experimentId: string; readonly model: string };
  readonly spec: ExperimentSpec;
  readonly unit: { readonly model: string; readonly instruments: readonly string[] };
  readonly prepared: ArtifactRef;
}

/** A real database, artifact store and training child around the activities of a search. */
export async function openSearchFixture(): Promise<SearchFixture> {
  const database = await openTestDatabase();
  const root = await mkdtemp(join(tmpdir(), 'ratchet-search-'));
  const artifacts = openDirectoryStore(root);
  const { db } = database;
  const nothing = (): void => {};
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const trained: unknown[] = [];
  const real = createTrainer({ log });
  const trainer: Trainer = {
    train: (job, callbacks, signal) => {
      trained.push(job.params);
      return real.train(job, callbacks, signal);
    },
  };
  const deps: ActivityDeps = {
    ...{ db, artifacts, trainer, log },
    datasets: new Map(),
    sourceContext: () => {
      throw new Error('a search collects nothing');
    },
    sign: () => new Uint8Array(0),
    trustedKeys: [],
    webhooks: noWebhooks,
    events: experimentEvents(db),
    clock: () => fixture.clock,
    codeVersion: 'test',
  };
  let asked = 0;
  let calls = 0;
  const inActivity = (name: keyof Search) => (input: never) => {
    const run = { workflowId: 'sweep', runId: 'run' };
    const environment = new MockActivityEnvironment({
      activityId: String(calls++),
      workflowExecution: run,
    });
    return environment.run(createSearchActivities(deps)[name] as never, input);
  };
  const fixture: SearchFixture = {
    ...{ database, trained },
    clock: 0,
    async ask(over, planted) {
      const spec = parseSpec({
        name: 'searched',
        model: 'searched',
        data: { sources: [{ dataset: 'planted' }], instruments: ['PLANTED'] },
        label: { kind: 'forwardLogReturn', horizons: [1, 2, 3] },
        ...over,
      });
      const experimentId = `experiment-${asked++}`;
      const names = { name: spec.name, model: spec.model, specHash: experimentId };
      const workflowId = `experiment/${experimentId}`;
      await createExperiment(db, { id: experimentId, ...names, spec, workflowId, actor: 'test' });
      const unit = { model: spec.model, instruments: ['PLANTED'] };
      const prepared = await artifacts.put(encodePrepared(plantedPrepared(planted)));
      return { key: { experimentId, model: unit.model }, spec, unit, prepared };
    },
    activities: Object.fromEntries(
      Object.keys(createSearchActivities(deps)).map((name) => [
        name,
        inActivity(name as keyof Search),
      ]),
    ) as unknown as Search,
    async close() {
      await database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
  return fixture;
}

/** The search from its beginning to its end, trials one after the other, as a window of `parallel` sees them. */
export async function runSearch(
  { activities }: SearchFixture,
  { key, unit, prepared, spec }: AskedSearch,
  rungs = 1,
): Promise<Awaited<ReturnType<Search['completeSearch']>>> {
  await activities.openSearch(key);
  for (let trial = 0; trial < spec.tune!.trials; trial++) {
    const { stop } = await activities.suggestTrial({ ...key, trial });
    if (stop) break;
    for (let rung = 0; rung < rungs; rung++) {
      const { goesOn } = await activities.fitTrial({ ...key, unit, prepared, trial, rung });
      if (!goesOn) break;
    }
  }
  return activities.completeSearch(key);
}
