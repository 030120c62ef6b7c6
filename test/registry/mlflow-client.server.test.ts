import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openMlflowClient, type MlflowClient } from '../../registry/mlflow-client.ts';
import { skipMlflow, startMlflow, type TestMlflow } from '../support/mlflow.ts';
import { freePort } from '../support/server-process.ts';

/** The contract with the real server: what the mirror relies on. */
describe('the MLflow client', { skip: skipMlflow }, () => {
  let server: TestMlflow;
  let client: MlflowClient;
  before(async () => {
    server = await startMlflow();
    client = openMlflowClient(server.url);
  });
  after(() => server.stop());
  const newRun = async (name: string, key = 'a/b') => {
    const experimentId = await client.createExperiment(name, { 'ratchet.model': name });
    const tags = { 'ratchet.run': key };
    return client.createRun({ experimentId, name: 'run', startTime: 1_000, tags });
  };

  test('reaches the server', () => client.ping());

  test('finds experiments by name, deleted ones too, and none where there is none', async () => {
    assert.equal(await client.experimentByName('nothing'), undefined);
    const id = await client.createExperiment('found', {});
    assert.equal((await client.experimentByName('found'))?.experiment_id, id);
    await assert.rejects(client.createExperiment('found', {}), {
      errorCode: 'RESOURCE_ALREADY_EXISTS',
      permanent: false,
    });
  });

  test('finds runs by tag, not those of other tags nor deleted ones', async () => {
    const { info } = await newRun('by-tag');
    const search = (key: string) =>
      client.searchRuns(info.experiment_id, `tags.\`ratchet.run\` = '${key}'`);
    assert.deepEqual(
      (await search('a/b')).map((run) => run.info.run_id),
      [info.run_id],
    );
    assert.deepEqual(await search('a/c'), []);
    await client.deleteRun(info.run_id);
    assert.deepEqual(await search('a/b'), []);
  });

  test('metrics sent again are the same points; many are sent in batches', async () => {
    const { info } = await newRun('metrics');
    const metrics = Array.from({ length: 2_500 }, (_, step) => ({
      key: 'loss',
      value: 1 / (step + 1),
      timestamp: 1_000 + step,
      step,
    }));
    await client.logBatch(info.run_id, { metrics, params: { units: '[50,50]' } });
    await client.logBatch(info.run_id, { metrics: metrics.slice(0, 10) });
    const history = await client.metricHistory(info.run_id, 'loss');
    assert.equal(history.length, 2_500);
    assert.deepEqual(history[1], { value: 0.5, timestamp: 1_001, step: 1 });
    const run = await client.getRun(info.run_id);
    assert.deepEqual(run.data.params, [{ key: 'units', value: '[50,50]' }]);
  });

  test('many and long parameters and tags are accepted', async () => {
    const { info } = await newRun('params');
    const params = Object.fromEntries(
      Array.from({ length: 250 }, (_, i) => [`p${i}`, 'x'.repeat(10_000)]),
    );
    await client.logBatch(info.run_id, { params, tags: { long: 'y'.repeat(20_000) } });
    assert.equal((await client.getRun(info.run_id)).data.params.length, 250);
  });

  test('files go through the server and come back, byte for byte', async () => {
    const run = await newRun('files');
    const bytes = Buffer.from([0, 1, 2, 255, 254]);
    await client.uploadArtifact(run, 'package/model.onnx', Buffer.from('old'));
    await client.uploadArtifact(run, 'package/model.onnx', bytes);
    assert.deepEqual(await client.listArtifacts(run, 'package'), ['package/model.onnx']);
    assert.deepEqual(Buffer.from(await client.downloadArtifact(run, 'package/model.onnx')), bytes);
  });

  test('model versions, tags and aliases; deleting twice is no error', async () => {
    const run = await newRun('versions');
    await client.ensureRegisteredModel('versions', 'a model');
    await client.ensureRegisteredModel('versions', 'a model');
    assert.equal(await client.versionByAlias('versions', 'champion'), undefined);
    const create = (tag: string) =>
      client.createModelVersion({
        name: 'versions',
        source: `${run.info.artifact_uri}/package`,
        runId: run.info.run_id,
        description: 'x',
        tags: { 'ratchet.version': tag },
      });
    const created = [await create('1'), await create('2')];
    const found = await client.modelVersions('versions');
    assert.deepEqual(
      found.map(({ version, tags }) => [version, tags]),
      [1, 2].map((n) => [String(n), [{ key: 'ratchet.version', value: String(n) }]]),
    );
    await client.setAlias('versions', 'champion', created[0]!.version);
    await client.setAlias('versions', 'champion', created[1]!.version);
    assert.equal((await client.versionByAlias('versions', 'champion'))?.version, '2');
    await client.deleteAlias('versions', 'champion');
    await client.deleteAlias('versions', 'champion');
    assert.equal(await client.versionByAlias('versions', 'champion'), undefined);
    await client.deleteModelVersion('versions', '2');
    await client.deleteModelVersion('versions', '2');
    assert.equal((await client.modelVersions('versions')).length, 1);
  });

  test('a run ends with a status and a time', async () => {
    const { info } = await newRun('ended');
    await client.updateRun(info.run_id, { status: 'FAILED', endTime: 5_000 });
    assert.equal((await client.getRun(info.run_id)).info.status, 'FAILED');
  });

  test('a refusal carries the word of MLflow', async () => {
    await assert.rejects(client.getRun('0'.repeat(32)), {
      code: 'mlflow.failed',
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
      permanent: false,
    });
  });

  test('a server that is away is an error that a retry may help', async () => {
    const away = openMlflowClient(`http://127.0.0.1:${await freePort()}`, { timeoutMs: 500 });
    await assert.rejects(away.ping(), { code: 'mlflow.failed', permanent: false });
  });
});
