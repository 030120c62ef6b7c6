import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createBuildFeaturesActivities } from '../../activities/build-features.ts';
import { createCollectActivities } from '../../activities/collect.ts';
import type {
  BuildFeaturesResult,
  CollectResult,
  ValidateResult,
} from '../../activities/contracts.ts';
import type { ActivityDeps, NamedDataset } from '../../activities/deps.ts';
import { createValidateActivities } from '../../activities/validate.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { experimentEvents } from '../../registry/experiments.ts';
import { createSourceContext } from '../../workers/source-context.ts';
import { labFolder, skipWithoutLab } from '../support/lab-data.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addExperiment, MODEL, testSpec } from '../support/registry-facts.ts';
import { noWebhooks } from '../support/no-webhooks.ts';

let database: TestDatabase;
let folder: string;
before(async () => {
  database = await openTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'ratchet-prepare-'));
});
after(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

function depsOf(): ActivityDeps {
  const unused = (): never => assert.fail('not part of preparing');
  const index: NamedDataset = {
    name: 'index-long',
    source: 'csv',
    params: { files: { '^GSPC': 'GSPC.1d.csv.gz' }, profile: 'ohlcv-date' },
    hosts: [],
    root: join(labFolder, 'index'),
    calendar: 'nyse',
  };
  return {
    db: database.db,
    artifacts: openDirectoryStore(join(folder, 'artifacts')),
    datasets: new Map([[index.name, index]]),
    sourceContext: createSourceContext,
    trainer: { train: unused },
    sign: unused,
    trustedKeys: [],
    webhooks: noWebhooks,
    events: experimentEvents(database.db),
    clock: () => Date.parse('2024-06-01'),
    codeVersion: 'test',
    log: { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} },
  };
}

interface Prepared {
  readonly collected: CollectResult;
  readonly validation: ValidateResult;
  readonly features: BuildFeaturesResult;
  readonly tookMs: number;
}

async function prepare(n: number): Promise<Prepared> {
  const deps = depsOf();
  const spec = testSpec({
    data: {
      sources: [{ dataset: 'index-long' }],
      instruments: ['^GSPC'],
      from: '1999-01-01',
      to: '2023-12-31',
    },
  });
  const experimentId = await addExperiment(database.db, n, spec);
  const step = async <I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> =>
    await new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(
      activity,
      input,
    );
  const started = performance.now();
  const collected: CollectResult = await step(createCollectActivities(deps).collect, {
    experimentId,
    instrument: '^GSPC',
  });
  const datasets = [collected];
  const validation: ValidateResult = await step(createValidateActivities(deps).validate, {
    experimentId,
    datasets,
  });
  const unit = { model: MODEL, instruments: ['^GSPC'] };
  const features: BuildFeaturesResult = await step(
    createBuildFeaturesActivities(deps).buildFeatures,
    { experimentId, unit, datasets },
  );
  return { collected, validation, features, tookMs: performance.now() - started };
}

test(
  '25 years of ^GSPC prepared once and again: the second time no step runs',
  {
    skip: skipWithoutLab,
  },
  async (t) => {
    const first = await prepare(1);
    assert.deepEqual(
      [first.collected.firstBar, first.collected.lastBar],
      ['1999-01-04', '2023-12-29'],
    );
    assert.equal(first.validation.passed, true);
    assert.deepEqual(
      [first.collected.cached, first.validation.cached, first.features.cached],
      [false, false, false],
    );
    const again = await prepare(2);
    assert.deepEqual(
      [again.collected.cached, again.validation.cached, again.features.cached],
      [true, true, true],
    );
    assert.deepEqual(again.features.prepared, first.features.prepared);
    t.diagnostic(`first ${first.tookMs.toFixed(0)} ms, again ${again.tookMs.toFixed(0)} ms`);
  },
);
