import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { CollectResult, RegisterInput, SkipInput } from '../../activities/contracts.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createExperimentRecordActivities } from '../../activities/experiment-record.ts';
import { createRegisterActivities } from '../../activities/register.ts';
import { createSkipActivities } from '../../activities/skip.ts';
import type { Manifest } from '../../core/packages/manifest.ts';
import { openArtifactStore, putJson } from '../../registry/artifacts.ts';
import { createExperiment, endExperiment, experimentEvents } from '../../registry/experiments.ts';
import { getExperimentOrThrow, readEvents } from '../../registry/experiments.ts';
import { getModel, getVersion, reserveVersion } from '../../registry/models.ts';
import { deleteVersion } from '../../registry/retirement.ts';
import { failuresOf } from '../../registry/training-history.ts';
import { openTestDatabase } from '../support/postgres.ts';
import { experimentId, MODEL, reservation, testSpec } from '../support/registry-facts.ts';

let stateDir: string;
const close: (() => Promise<void>)[] = [];
before(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'ratchet-record-'));
});
after(async () => {
  await Promise.all(close.map((end) => end()));
  await rm(stateDir, { recursive: true, force: true });
});

const dataset = { name: 'sp500-daily', source: 'csv', params: {}, hosts: [], calendar: 'nyse' };

/** The activities on a database of their own, with one queued experiment of `spec`. */
async function world(spec = testSpec(), specHash = 'spec-hash') {
  const { db, close: end } = await openTestDatabase();
  close.push(end);
  const deps = {
    db,
    artifacts: openArtifactStore({ s3: undefined, stateDir }),
    datasets: new Map([[dataset.name, dataset]]),
    events: experimentEvents(db),
    clock: () => 0,
    sourceContext: () => assert.fail('no source is opened here'),
  } satisfies Partial<ActivityDeps>;
  const id = experimentId(1);
  await createExperiment(db, {
    id,
    name: spec.name,
    model: spec.model,
    spec,
    specHash,
    workflowId: `experiment/${id}`,
    actor: 'key-1',
    requestId: 'request-1',
  });
  return {
    db,
    deps,
    id,
    ...createExperimentRecordActivities(deps),
    ...createRegisterActivities(deps),
    ...createSkipActivities(deps),
  };
}
type World = Awaited<ReturnType<typeof world>>;

describe('opening an experiment', () => {
  test('runs it, makes its models and says what it trains; a repeat says the same', async () => {
    const spec = testSpec({
      model: 'index-{instrument}',
      data: {
        sources: [{ dataset: 'sp500-daily' }],
        instruments: ['^GSPC', '^IXIC'],
      },
      seeds: [4, 5],
    });
    const here = await world(spec);
    const opened = await here.openExperiment({ experimentId: here.id });
    assert.deepEqual(opened.units, [
      { model: 'index-gspc', instruments: ['^GSPC'] },
      { model: 'index-ixic', instruments: ['^IXIC'] },
    ]);
    assert.deepEqual([opened.seeds, opened.specHash], [[4, 5], 'spec-hash']);
    assert.equal(opened.apart, true, 'one that fails fails alone');
    assert.deepEqual(await here.openExperiment({ experimentId: here.id }), opened);
    assert.equal((await getExperimentOrThrow(here.db, here.id)).status, 'running');
    const model = await getModel(here.db, 'index-ixic');
    assert.deepEqual([model?.instruments, model?.model_group], [['^IXIC'], 'index-{instrument}']);
    const events = await readEvents(here.db, here.id);
    assert.deepEqual(
      events.map(({ kind, stage }) => [kind, stage]),
      [['stage', 'open']],
    );
  });

  test('that was cancelled before it began does not run', async () => {
    const here = await world();
    await endExperiment(here.db, here.id, { status: 'cancelled', message: 'by key-1' });
    await assert.rejects(here.openExperiment({ experimentId: here.id }), {
      code: 'experiment.ended',
      permanent: true,
    });
  });

  test('of which nobody knows is a permanent error', async () => {
    const here = await world();
    await assert.rejects(here.openExperiment({ experimentId: 'nobody' }), {
      code: 'experiment.unknown',
      permanent: true,
    });
  });
});

test('finishing twice, also in another way, keeps the first end', async () => {
  const here = await world();
  await here.openExperiment({ experimentId: here.id });
  const versions = [{ model: MODEL, version: 1, promoted: true, verdict: 'It beats naive.' }];
  const end = { experimentId: here.id, message: 'done', versions };
  await here.finishExperiment({ ...end, status: 'completed' });
  await here.finishExperiment({ ...end, status: 'completed' });
  await here.finishExperiment({ ...end, status: 'failed', message: 'late' });
  const { status, message } = await getExperimentOrThrow(here.db, here.id);
  assert.deepEqual([status, message], ['completed', 'done']);
  const done = (await readEvents(here.db, here.id)).filter(({ kind }) => kind === 'done');
  assert.equal(done.length, 1);
  assert.deepEqual(done[0]?.payload['versions'], versions);
});

test('a model that failed while others did not is kept, once', async () => {
  const here = await world();
  await here.openExperiment({ experimentId: here.id });
  const failed = { experimentId: here.id, model: 'index-ixic', reason: 'no bars of ^IXIC' };
  await here.noteFailedUnit(failed);
  await here.noteFailedUnit(failed);
  const events = (await readEvents(here.db, here.id)).filter(({ stage }) => stage === 'failed');
  assert.deepEqual(
    events.map(({ model, payload }) => [model, payload]),
    [['index-ixic', { reason: 'no bars of ^IXIC' }]],
  );
  const ids = [here.id, 'another'];
  assert.deepEqual([...(await failuresOf(here.db, 'index-ixic', ids))], [[here.id, failed.reason]]);
  assert.equal((await failuresOf(here.db, 'index-gspc', ids)).size, 0);
});

const digest = 'a'.repeat(64);

function manifestOf(version: number): Manifest {
  return {
    format: 1,
    model: MODEL,
    version,
    family: 'lstm-multi-horizon',
    instruments: ['^GSPC'],
    timeframe: '1d',
    featureSet: 'technical-152',
    featureHash: digest,
    label: { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
    lookback: 60,
    datasetHash: 'bars-1',
    specHash: 'spec-hash',
    seed: 1,
    weightsDigest: digest,
    trainedThrough: '2018-11-15T14:30:00.000Z',
    workflowId: `experiment/${experimentId(1)}`,
    codeVersion: 'v1',
    libraries: {},
    createdAt: '2026-01-01T00:00:00.000Z',
    files: [{ path: 'model.onnx', bytes: 500, sha256: digest }],
  };
}

/** What the workflow hands to `register` after packaging. */
async function packaged(here: World): Promise<RegisterInput> {
  await here.openExperiment({ experimentId: here.id });
  const { version } = await reserveVersion(here.db, reservation(1));
  const manifest = await putJson(here.deps.artifacts, manifestOf(version));
  const evaluation = await putJson(here.deps.artifacts, { evaluation: version });
  const report = await putJson(here.deps.artifacts, 'report');
  return {
    experimentId: here.id,
    unit: { model: MODEL, instruments: ['^GSPC'] },
    package: { version, manifest, packageDigest: manifest.sha256 },
    fits: [],
    evaluation: {
      evaluation,
      report,
      plots: [{ name: 'loss-curves.png', artifact: report }],
      testRows: report,
      metrics: { 'h7.rmse': 0.02, seedSd: null },
      servedSeed: 1,
      beatsNaive: false,
      verdict: 'It does not beat naive.',
    },
  };
}

test('registering keeps what the manifest and the evaluation say, once', async () => {
  const here = await world();
  const input = await packaged(here);
  const registered = { model: MODEL, version: 1 };
  assert.deepEqual(await here.register(input), registered);
  assert.deepEqual(await here.register(input), registered);
  const row = await getVersion(here.db, MODEL, 1);
  assert.equal(row?.package_digest, input.package.packageDigest);
  assert.equal(row?.package_bytes, 500 + input.package.manifest.bytes);
  assert.deepEqual(row?.trained_through, new Date('2018-11-15T14:30:00.000Z'));
  assert.deepEqual(row?.metrics, { 'h7.rmse': 0.02, seedSd: null });
  assert.deepEqual([row?.beats_naive, row?.verdict], [false, 'It does not beat naive.']);
  assert.deepEqual(
    row?.attachments.map(({ name }) => name),
    ['report.html', 'loss-curves.png', 'test-rows.bin'],
  );
  const events = await readEvents(here.db, here.id);
  assert.equal(events.filter(({ stage }) => stage === 'register').length, 1);
});

describe('skipping (row A11)', () => {
  const collected = (lastBar: string, datasetHash = 'bars-2'): CollectResult => ({
    instrument: '^GSPC',
    datasetHash,
    bars: { uri: `cas/${digest}`, sha256: digest, bytes: 1 },
    firstBar: '1999-01-04T14:30:00.000Z',
    lastBar,
    deliveredBy: 'csv',
    cached: false,
  });
  const asked = (here: World, lastBar: string, datasetHash?: string): SkipInput => ({
    experimentId: here.id,
    unit: { model: MODEL, instruments: ['^GSPC'] },
    datasets: [collected(lastBar, datasetHash)],
  });

  test('counts sessions of the calendar, not days: 126 fit, 127 do not', async () => {
    const here = await world();
    await here.register(await packaged(here));
    // 126 sessions of New York after 2018-11-15, and the next one.
    const young = await here.findFittingVersion(asked(here, '2019-05-21T13:30:00.000Z'));
    assert.equal(young.skip, true);
    assert.match(young.skip ? young.reason : '', /126 sessions ago/);
    const old = await here.findFittingVersion(asked(here, '2019-05-22T13:30:00.000Z'));
    assert.deepEqual(old, { skip: false });
    const same = await here.findFittingVersion(asked(here, '2019-05-22T13:30:00.000Z', 'bars-1'));
    assert.equal(same.skip, true);
  });

  test('does not happen with forceRetrain, another spec, or a deleted version', async () => {
    const forced = await world(testSpec({ forceRetrain: true }));
    await forced.register(await packaged(forced));
    const lastBar = '2018-12-31T14:30:00.000Z';
    assert.deepEqual(await forced.findFittingVersion(asked(forced, lastBar)), { skip: false });

    const other = await world(testSpec(), 'another-hash');
    await other.register(await packaged(other));
    assert.deepEqual(await other.findFittingVersion(asked(other, lastBar)), { skip: false });

    const here = await world();
    await here.register(await packaged(here));
    assert.equal((await here.findFittingVersion(asked(here, lastBar))).skip, true);
    await deleteVersion(here.db, MODEL, 1, { actor: 'key-1' });
    assert.deepEqual(await here.findFittingVersion(asked(here, lastBar)), { skip: false });
  });
});
