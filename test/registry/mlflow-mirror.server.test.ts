import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openArtifactStore } from '../../registry/artifacts.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { appendEvent, endExperiment } from '../../registry/experiments.ts';
import { openMlflowClient, type MlflowClient } from '../../registry/mlflow-client.ts';
import {
  drainMirror,
  mirrorMessage,
  rebuildMirror,
  runMirror,
} from '../../registry/mlflow-mirror.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { deleteVersion } from '../../registry/retirement.ts';
import { deliverNext, enqueueOutbox, outboxState } from '../../registry/outbox.ts';
import { skipMlflow, startMlflow, type TestMlflow } from '../support/mlflow.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import {
  addExperiment,
  addModel,
  crown,
  experimentId,
  MODEL,
  registration,
  reservation,
} from '../support/registry-facts.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const log = { info: () => undefined, warn: () => undefined };

describe('the mirror in MLflow', { skip: skipMlflow, timeout: 300_000 }, () => {
  let mlflow: TestMlflow;
  let client: MlflowClient;
  let stateDir: string;
  let artifacts: ArtifactStore;
  const databases: TestDatabase[] = [];
  before(async () => {
    mlflow = await startMlflow();
    client = openMlflowClient(mlflow.url);
    stateDir = await mkdtemp(join(tmpdir(), 'ratchet-mirror-'));
    artifacts = openArtifactStore({ s3: undefined, stateDir });
  });
  after(async () => {
    await Promise.all(databases.map((database) => database.close()));
    await mlflow.stop();
    await rm(stateDir, { recursive: true, force: true });
  });

  /** A database of its own with one model, whose name is its own in MLflow too. */
  const world = async (model: string) => {
    const database = await openTestDatabase();
    databases.push(database);
    await addModel(database.db, model);
    return { ...database, model, parts: { db: database.db, artifacts, client } };
  };
  type World = Awaited<ReturnType<typeof world>>;

  /** A finished experiment with losses of two seeds and one registered version with a package. */
  const addRun = async ({ db, model }: World, n: number) => {
    const id = await addExperiment(db, n);
    for (const seed of [1, 2]) {
      for (let epoch = 1; epoch <= 3; epoch++) {
        await appendEvent(db, {
          experimentId: id,
          kind: 'epoch',
          stage: 'fit',
          model,
          seed,
          payload: {
            epoch,
            epochs: 3,
            loss: 1 / epoch,
            validLoss: epoch === 2 ? Number.NaN : 2 / epoch,
            lossByHorizon: [0.1, 0.2, 0.3],
            learningRate: 0.001,
          },
          dedupeKey: `epoch/${model}/${seed}/${epoch}`,
        });
      }
    }
    const { version } = await reserveVersion(db, reservation(n, model));
    const onnx = await artifacts.put(Buffer.from(`onnx of ${model} ${n}`));
    const files = [{ path: 'model.onnx', bytes: onnx.bytes, sha256: onnx.sha256 }];
    const manifest = await artifacts.put(Buffer.from(JSON.stringify({ model, version, files })));
    const evaluation = await artifacts.put(Buffer.from(JSON.stringify({ n })));
    const plot = await artifacts.put(PNG);
    const report = await artifacts.put(Buffer.from('<html>report</html>'));
    await registerVersion(db, {
      ...registration(version, model),
      manifestUri: manifest.uri,
      packageDigest: manifest.sha256,
      evaluationUri: evaluation.uri,
      attachments: [
        { ...plot, name: 'forecast-7.png' },
        { ...report, name: 'report.html' },
      ],
      metrics: { 'h7.rmse': 0.25, notFinite: Number.NaN },
    });
    await endExperiment(db, id, { status: 'completed', message: 'done' });
    return version;
  };

  const countsOf = async (model: string) => {
    const experiment = await client.experimentByName(model);
    assert.ok(experiment);
    const runs = await client.searchRuns(experiment.experiment_id, '');
    return { runs: runs.length, versions: (await client.modelVersions(model)).length };
  };

  const parentOf = async (model: string, n: number) => {
    const experiment = await client.experimentByName(model);
    const filter = `tags.\`ratchet.run\` = '${experimentId(n)}/${model}'`;
    const [run] = await client.searchRuns(experiment!.experiment_id, filter);
    assert.ok(run);
    return run;
  };

  test('shows curves, parameters, metrics, plots, package and version', async () => {
    const here = await world('shown');
    await addRun(here, 1);
    assert.equal(await drainMirror(here.parts), 'empty');
    assert.equal((await outboxState(here.db)).open, 0);
    assert.deepEqual(await countsOf('shown'), { runs: 3, versions: 1 });

    const parent = await parentOf('shown', 1);
    assert.equal(parent.info.status, 'FINISHED');
    const metrics = Object.fromEntries(parent.data.metrics.map(({ key, value }) => [key, value]));
    assert.deepEqual(metrics, { 'h7.rmse': 0.25, packageBytes: 1_001 });
    const params = Object.fromEntries(parent.data.params.map(({ key, value }) => [key, value]));
    assert.equal(params['label.horizons'], '[7,14,30]');
    assert.equal(params['family'], 'lstm-multi-horizon');

    const child = `tags.\`ratchet.run\` = '${experimentId(1)}/shown/seed-2'`;
    const [seed] = await client.searchRuns(parent.info.experiment_id, child);
    assert.ok(seed);
    const tags = Object.fromEntries(seed.data.tags.map(({ key, value }) => [key, value]));
    assert.equal(tags['mlflow.parentRunId'], parent.info.run_id);
    const losses = await client.metricHistory(seed.info.run_id, 'loss');
    assert.deepEqual(
      losses.map(({ step, value }) => [step, value]),
      [
        [1, 1],
        [2, 0.5],
        [3, 1 / 3],
      ],
    );
    const finite = await client.metricHistory(seed.info.run_id, 'validLoss');
    assert.deepEqual(
      finite.map(({ step }) => step),
      [1, 3],
    );
    assert.equal((await client.metricHistory(seed.info.run_id, 'loss_h30')).length, 3);

    const plot = await client.downloadArtifact(parent, 'plots/forecast-7.png');
    assert.deepEqual(Buffer.from(plot), PNG);
    assert.deepEqual(await client.listArtifacts(parent, 'package'), [
      'package/manifest.json',
      'package/model.onnx',
    ]);
    const report = await client.downloadArtifact(parent, 'report.html');
    assert.equal(Buffer.from(report).toString(), '<html>report</html>');
    const [version] = await client.modelVersions('shown');
    assert.equal(version?.run_id, parent.info.run_id);
    assert.ok(version?.tags.some(({ key, value }) => key === 'ratchet.version' && value === '1'));
  });

  test('is the same after each message was delivered three times', async () => {
    const here = await world('repeated');
    await addRun(here, 1);
    await drainMirror(here.parts);
    const once = await countsOf('repeated');
    for (let again = 0; again < 2; again++) {
      assert.equal(await rebuildMirror(here.db), 2);
      assert.equal(await drainMirror(here.parts), 'empty');
    }
    assert.deepEqual(await countsOf('repeated'), once);
    const { info } = await parentOf('repeated', 1);
    const history = await client.metricHistory(info.run_id, 'h7.rmse');
    assert.equal(history.length, 1);
  });

  test('has exactly one of each though connections are killed in the middle of deliveries', async () => {
    const here = await world('killed');
    for (let n = 1; n <= 4; n++) await addRun(here, n);
    let kills = 0;
    const deliver = async ({ message }: { message: Parameters<typeof mirrorMessage>[1] }) => {
      const delivered = mirrorMessage(here.parts, message);
      if (kills++ < 5) {
        // The delivery itself may go on in the background: the next one overlaps with it.
        delivered.catch(() => undefined);
        await here.server.terminateConnections(here.url);
        return;
      }
      await delivered;
    };
    for (let turn = 0; turn < 40; turn++) {
      const result = await deliverNext(here.db, deliver).catch(() => 'killed' as const);
      if (result === 'empty' && (await outboxState(here.db)).open === 0) break;
      await here.db
        .updateTable('outbox')
        .set({ next_attempt_at: new Date(0) })
        .execute()
        .catch(() => undefined);
    }
    assert.equal((await outboxState(here.db)).open, 0);
    // What an overlap may have doubled is put right by the next delivery.
    await rebuildMirror(here.db);
    await drainMirror(here.parts);
    assert.deepEqual(await countsOf('killed'), { runs: 12, versions: 4 });
  });

  test('doubles are put right by the next delivery', async () => {
    const here = await world('doubled');
    await addRun(here, 1);
    await drainMirror(here.parts);
    const parent = await parentOf('doubled', 1);
    const key = `${experimentId(1)}/doubled`;
    await client.createRun({
      experimentId: parent.info.experiment_id,
      name: 'double',
      startTime: 1,
      tags: { 'ratchet.run': key },
    });
    await client.createModelVersion({
      name: 'doubled',
      source: `${parent.info.artifact_uri}/package`,
      runId: parent.info.run_id,
      description: 'double',
      tags: { 'ratchet.version': '1' },
    });
    await rebuildMirror(here.db);
    await drainMirror(here.parts);
    assert.deepEqual(await countsOf('doubled'), { runs: 3, versions: 1 });
  });

  test('moves the alias with the champion, and to the newest when messages come late', async () => {
    const here = await world(MODEL);
    for (let n = 1; n <= 2; n++) await addRun(here, n);
    const promote = async (version: number, generation: number) => {
      await crown(here.db, version, generation);
      await here.db.transaction().execute((trx) =>
        enqueueOutbox(trx, {
          kind: 'champion-changed',
          model: MODEL,
          version,
          generation,
        }),
      );
    };
    await promote(1, 1);
    await drainMirror(here.parts);
    const tagOf = async () =>
      (await client.versionByAlias(MODEL, 'champion'))?.tags.find(
        ({ key }) => key === 'ratchet.version',
      )?.value;
    assert.equal(await tagOf(), '1');
    await promote(2, 2);
    const late = { kind: 'champion-changed' as const, model: MODEL, version: 1, generation: 1 };
    await mirrorMessage(here.parts, late);
    assert.equal(await tagOf(), '2');
    await drainMirror(here.parts);
    assert.equal(await tagOf(), '2');
  });

  test('drops a deleted version', async () => {
    const here = await world('dropped');
    const version = await addRun(here, 1);
    await drainMirror(here.parts);
    await deleteVersion(here.db, 'dropped', version, { actor: 'key-1' });
    await drainMirror(here.parts);
    assert.deepEqual(await client.modelVersions('dropped'), []);
  });

  test('is rebuilt after people deleted what it showed', async () => {
    const here = await world('rebuilt');
    await addRun(here, 1);
    await drainMirror(here.parts);
    await client.deleteRun((await parentOf('rebuilt', 1)).info.run_id);
    await client.deleteModelVersion('rebuilt', '1');
    await rebuildMirror(here.db);
    await drainMirror(here.parts);
    assert.deepEqual(await countsOf('rebuilt'), { runs: 3, versions: 1 });
  });

  test('waits while MLflow is away, and then catches up by itself', async () => {
    const here = await world('away');
    await addRun(here, 1);
    await mlflow.kill();
    const stop = new AbortController();
    const said: string[] = [];
    let caughtUp = (): void => undefined;
    const catchesUp = new Promise<void>((resolve) => (caughtUp = resolve));
    const mirror = runMirror({
      ...here.parts,
      signal: stop.signal,
      idleMs: 50,
      log: {
        info: (_, message) => {
          said.push(message);
          caughtUp();
        },
        warn: (_, message) => {
          said.push(message);
        },
      },
    });
    await mlflow.restart();
    const state = async () => (await outboxState(here.db)).open;
    await Promise.race([catchesUp, mirror]);
    while ((await state()) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    stop.abort();
    await mirror;
    assert.ok(said[0]?.startsWith('the mirror waits'));
    assert.deepEqual(await countsOf('away'), { runs: 3, versions: 1 });
    const rows = await here.db.selectFrom('outbox').select('attempts').execute();
    assert.ok(rows.every(({ attempts }) => attempts === 0, 'the outbox is left alone meanwhile'));
  });

  test('a package that rotted is not mirrored, and the outbox says why', async () => {
    const here = await world('rotten');
    await addRun(here, 1);
    const sha256 = createHash('sha256').update('onnx of rotten 1').digest('hex');
    await rm(join(stateDir, 'artifacts', 'cas', sha256.slice(0, 2), sha256));
    assert.equal(await drainMirror({ ...here.parts, log }), 'failed');
    const state = await outboxState(here.db);
    assert.match(state.lastError ?? '', new RegExp(sha256));
    assert.deepEqual(await client.modelVersions('rotten'), []);
  });
});
