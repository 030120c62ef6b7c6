import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openArtifactStore } from '../../registry/artifacts.ts';
import { endExperiment } from '../../registry/experiments.ts';
import {
  openMlflowClient,
  type MlflowClient,
  type MlflowRun,
} from '../../registry/mlflow-client.ts';
import { drainMirror, mirrorMessage, type MirrorOptions } from '../../registry/mlflow-mirror.ts';
import {
  beginTrial,
  completeSearch,
  endRung,
  failTrial,
  openSearch,
} from '../../registry/searches.ts';
import { skipMlflow, startMlflow, type TestMlflow } from '../support/mlflow.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addExperiment, addModel } from '../support/registry-facts.ts';

const MODEL = 'searched';

describe('a search in MLflow', { skip: skipMlflow, timeout: 300_000 }, () => {
  let mlflow: TestMlflow;
  let client: MlflowClient;
  let database: TestDatabase;
  let folder: string;
  let parts: Pick<MirrorOptions, 'db' | 'artifacts' | 'client'>;
  let id: string;
  before(async () => {
    mlflow = await startMlflow();
    client = openMlflowClient(mlflow.url);
    folder = await mkdtemp(join(tmpdir(), 'ratchet-mirror-'));
    database = await openTestDatabase();
    const artifacts = openArtifactStore({ s3: undefined, stateDir: folder });
    parts = { db: database.db, artifacts, client };
    await addModel(database.db, MODEL);
    id = await addExperiment(database.db, 1);
    await search(id);
    await endExperiment(database.db, id, { status: 'completed', message: 'done' });
  });
  after(async () => {
    await database.close();
    await mlflow.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Three trials of two rungs: one to the end, one pruned, one failed. */
  async function search(experimentId: string): Promise<void> {
    const { db } = database;
    const key = { experimentId, model: MODEL };
    await openSearch(db, {
      ...key,
      ...{ family: 'lstm-multi-horizon', method: 'tpe', pruner: 'successiveHalving' },
      ...{ seed: 1, fitSeed: 1, trials: 3, parallel: 1, budgetMinutes: undefined },
      space: [
        {
          kind: 'number',
          path: 'reduceLr.patience',
          low: 1,
          high: 9,
          scale: 'linear',
          integer: true,
        },
        { kind: 'choice', path: 'units', choices: [[8], [16]] },
      ],
      rungs: [3, 9],
      startedAt: new Date('2026-01-01T00:00:00Z'),
    });
    for (const [trial, losses] of [[1.1, 0.9], [1.2], []].entries()) {
      await beginTrial(db, { ...key, trial }, { 'reduceLr.patience': trial + 2, units: [8] });
      for (const [rung, loss] of losses.entries()) {
        const state = rung === 1 ? 'completed' : losses.length === 1 ? 'pruned' : 'running';
        await endRung(db, { ...key, trial }, { rung, loss, state, epochsRun: 3, bestEpoch: 2 });
      }
      if (losses.length === 0) await failTrial(db, { ...key, trial }, 'the loss became NaN');
    }
    await completeSearch(db, key);
  }

  const runsWith = async (filter: string): Promise<MlflowRun[]> => {
    const experiment = await client.experimentByName(MODEL);
    return client.searchRuns(experiment!.experiment_id, filter);
  };
  const trialRun = async (trial: number): Promise<MlflowRun> => {
    const [run] = await runsWith(`tags.\`ratchet.run\` = '${id}/${MODEL}/trial-${trial}'`);
    assert.ok(run, `trial ${trial}`);
    return run;
  };
  const pairs = (list: readonly { key: string; value: unknown }[]): Record<string, unknown> =>
    Object.fromEntries(list.map(({ key, value }) => [key, value]));

  it('is a run a trial under the run of the experiment', async () => {
    assert.equal(await drainMirror(parts), 'empty');
    const [parent] = await runsWith(`tags.\`ratchet.run\` = '${id}/${MODEL}'`);
    const children = await runsWith(`tags.\`mlflow.parentRunId\` = '${parent!.info.run_id}'`);
    assert.equal(children.length, 3);
    const best = await trialRun(0);
    assert.equal(best.info.status, 'FINISHED');
    const params = pairs(best.data.params);
    assert.equal(params['reduceLr.patience'], '2');
    assert.equal(params['units'], '[8]');
    const tags = pairs(best.data.tags);
    assert.deepEqual([tags['ratchet.trial'], tags['ratchet.best']], ['completed', 'true']);
    const history = await client.metricHistory(best.info.run_id, 'validLoss');
    assert.deepEqual(
      history.map(({ step, value }) => [step, value]),
      [
        [3, 1.1],
        [9, 0.9],
      ],
    );
    assert.equal((await trialRun(1)).info.status, 'FINISHED');
    const failed = await trialRun(2);
    assert.equal(failed.info.status, 'FAILED');
    assert.equal(pairs(failed.data.tags)['ratchet.error'], 'the loss became NaN');
    const figures = pairs(parent!.data.metrics);
    assert.deepEqual([figures['search.trials'], figures['search.validLoss']], [3, 0.9]);
    assert.match(String(pairs(parent!.data.tags)['ratchet.search']), /tpe, best is trial 0/);
  });

  it('is not there twice after a repeat', async () => {
    await mirrorMessage(parts, { kind: 'experiment-finished', experimentId: id });
    assert.equal((await runsWith('')).length, 4);
    const history = await client.metricHistory((await trialRun(0)).info.run_id, 'validLoss');
    assert.equal(history.length, 2);
  });
});
