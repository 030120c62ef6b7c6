import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createBuildFeaturesActivities } from '../../activities/build-features.ts';
import type { BuildFeaturesResult, CollectResult } from '../../activities/contracts.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { type Bars, sliceBars } from '../../core/bars/bars.ts';
import { decodePrepared } from '../../core/features/prepared.ts';
import { experimentSpecSchema, type ExperimentSpecInput } from '../../core/spec/spec.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openArtifactStore } from '../../registry/artifacts.ts';
import { writeDatasetVersion } from '../../registry/datasets.impl.ts';
import {
  createExperiment,
  experimentEvents,
  readEvents,
  startExperiment,
} from '../../registry/experiments.ts';
import { nasdaq, sp500 } from '../support/example-bars.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

describe('build features', () => {
  let database: TestDatabase;
  let stateDir: string;
  let artifacts: ArtifactStore;
  let experiments = 0;
  before(async () => {
    database = await openTestDatabase();
    stateDir = await mkdtemp(join(tmpdir(), 'ratchet-features-'));
    artifacts = openArtifactStore({ s3: undefined, stateDir });
  });
  after(async () => {
    await database.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  const unit = { model: 'index', instruments: ['^GSPC'] };

  async function experiment(spec: Partial<ExperimentSpecInput> = {}): Promise<string> {
    const id = `EXPERIMENT${String(++experiments).padStart(16, '0')}`;
    const parsed = experimentSpecSchema.parse({
      name: 'index',
      model: 'index',
      data: { sources: [{ dataset: 'bundled' }], instruments: ['^GSPC'] },
      ...spec,
    });
    await createExperiment(database.db, {
      id,
      name: 'index',
      model: 'index',
      spec: parsed,
      specHash: id,
      workflowId: `experiment/${id}`,
      actor: 'test',
    });
    await startExperiment(database.db, id);
    return id;
  }

  async function collected(bars: Bars): Promise<CollectResult> {
    const version = await writeDatasetVersion(database.db, artifacts, {
      bars,
      query: {},
      deliveredBy: 'bundled',
      deliveries: [],
    });
    const isoDay = (time: number | undefined): string => new Date(time!).toISOString();
    return {
      instrument: bars.instrument,
      datasetHash: version.hash,
      bars: version.artifact,
      firstBar: isoDay(bars.openTime[0]),
      lastBar: isoDay(bars.openTime.at(-1)),
      deliveredBy: 'bundled',
      cached: false,
    };
  }

  /** What this step reads of its dependencies; the rest is never touched. */
  const deps = (): ActivityDeps =>
    ({
      db: database.db,
      artifacts,
      datasets: new Map([
        ['bundled', { name: 'bundled', source: 'csv', params: {}, calendar: 'nyse', hosts: [] }],
      ]),
      events: experimentEvents(database.db),
      codeVersion: 'test',
    }) as unknown as ActivityDeps;

  const build = (
    experimentId: string,
    datasets: readonly CollectResult[],
    of = unit,
  ): Promise<BuildFeaturesResult> => {
    const { buildFeatures } = createBuildFeaturesActivities(deps());
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
    return environment.run(buildFeatures, { experimentId, unit: of, datasets });
  };

  test('gives one artifact with the split, an event with counts and dates; again: cached', async () => {
    const datasets = [await collected(sliceBars(sp500(), 0, 1500))];
    const first = await experiment();
    const built = await build(first, datasets);
    assert.equal(built.cached, false);
    const prepared = decodePrepared(await artifacts.get(built.prepared));
    assert.deepEqual(built.samples, {
      train: prepared.split.train.length,
      valid: prepared.split.valid.length,
      test: prepared.split.test.length,
    });
    const [event] = await readEvents(database.db, first, { kind: 'stage' });
    const payload = event!.payload as {
      samples: number;
      dropped: number;
      split: Record<'train' | 'valid' | 'test', { rows: number; from: string; to: string }>;
    };
    assert.equal(payload.samples, 1212);
    assert.equal(payload.dropped, 60);
    assert.equal(payload.split.test.rows, built.samples.test);
    assert.ok(payload.split.train.to < payload.split.valid.from);

    // Another experiment whose name, family and seeds differ: nothing of that changes the data.
    const again = await build(await experiment({ family: 'ridge', seeds: [9] }), datasets);
    assert.deepEqual(again, { ...built, cached: true });
    const repeated = await build(first, datasets);
    assert.equal(repeated.cached, true);
    assert.equal((await readEvents(database.db, first, { kind: 'stage' })).length, 1);
  });

  test('keeps first prices where a family learns by trading, be it a baseline or a member', async () => {
    const bars = sliceBars(sp500(), 0, 1500);
    const datasets = [await collected(bars)];
    const label = { kind: 'threeClass', horizons: [1] };
    const built = async (spec: Partial<ExperimentSpecInput>) =>
      build(await experiment({ label, ...spec }), datasets);
    const opens = async ({ prepared }: BuildFeaturesResult) =>
      decodePrepared(await artifacts.get(prepared)).open;

    const without = await built({ family: 'logistic', baselines: ['majority'] });
    assert.equal(await opens(without), undefined);
    const asked = await built({ family: 'policy-gradient', baselines: ['majority'] });
    assert.deepEqual(await opens(asked), bars.open);
    const beside = await built({ family: 'logistic', baselines: ['policy-gradient'] });
    assert.deepEqual(beside, { ...asked, cached: true });
    const members = ['logistic', 'policy-gradient'].map((family) => ({ family }));
    const part = await built({ family: 'ensemble', hyperparameters: { members }, baselines: [] });
    assert.deepEqual(part, { ...asked, cached: true });
    assert.deepEqual(await built({ family: 'lstm-classifier', baselines: ['majority'] }), {
      ...without,
      cached: true,
    });
  });

  test('other bars, label, lookback, split or scaling are prepared anew', async () => {
    const datasets = [await collected(sliceBars(sp500(), 0, 1500))];
    const digest = async (spec: Partial<ExperimentSpecInput>, of = datasets): Promise<string> =>
      (await build(await experiment(spec), of)).prepared.sha256;
    const digests = [
      await digest({}),
      await digest({}, [await collected(sliceBars(sp500(), 0, 1501))]),
      await digest({ lookback: 59 }),
      await digest({ label: { kind: 'forwardPrice' } }),
      await digest({ label: { horizons: [5] } }),
      await digest({ scaling: { features: 'standard' } }),
      await digest({ scaling: { features: 'robust' } }),
      await digest({ features: 'crypto-46' }),
      await digest({ features: { set: 'crypto-46', levels: 'raw' } }),
      await digest({ features: [{ indicator: 'rsi' }] }),
      await digest({ features: [{ indicator: 'rsi', lags: [1] }] }),
      await digest({ training: { outliers: { labels: { kind: 'clipSd', sds: 3 } } } }),
      await digest({ split: { kind: 'chronological', ratios: [0.6, 0.2, 0.2] } }),
    ];
    assert.equal(new Set(digests).size, digests.length);
  });

  test('too few bars: refused for good, with the minimum that it takes', async () => {
    const datasets = [await collected(sliceBars(sp500(), 0, 700))];
    await assert.rejects(build(await experiment(), datasets), (error) => {
      const { code, permanent, details, message } = error as {
        code: string;
        permanent: boolean;
        details: Record<string, unknown>;
        message: string;
      };
      assert.equal(code, 'splits.tooFewRows');
      assert.equal(permanent, true);
      assert.equal(details['minimumBars'], 885);
      assert.match(message, /885 bars, and there are 700/);
      return true;
    });
  });

  test('a pooled unit stacks its instruments in the order of the unit', async () => {
    const datasets = [
      await collected(sliceBars(nasdaq(), 0, 1500)),
      await collected(sliceBars(sp500(), 0, 1500)),
    ];
    const id = await experiment({ fit: 'pooled' });
    const pooled = { model: 'index', instruments: ['^GSPC', '^IXIC'] };
    const built = await build(id, datasets, pooled);
    const prepared = decodePrepared(await artifacts.get(built.prepared));
    assert.deepEqual(
      prepared.instruments.map((instrument) => instrument.id),
      pooled.instruments,
    );
  });

  test('holes are filled as the spec says, and a dataset that was not given is named', async () => {
    const bars = sliceBars(sp500(), 0, 1500);
    const keep = (column: Float64Array): Float64Array => column.filter((_, row) => row !== 1000);
    const holed: Bars = {
      ...bars,
      openTime: keep(bars.openTime),
      open: keep(bars.open),
      high: keep(bars.high),
      low: keep(bars.low),
      close: keep(bars.close),
      volume: keep(bars.volume),
      value: keep(bars.value),
    };
    const datasets = [await collected(holed)];
    const rows = async (missing: 'ffill' | 'drop'): Promise<number | undefined> => {
      const data = { sources: [{ dataset: 'bundled' }], instruments: ['^GSPC'], missing };
      return (await build(await experiment({ data }), datasets)).prepared.rows;
    };
    assert.equal(await rows('ffill'), 1500);
    assert.equal(await rows('drop'), 1499);
    const own = { id: '^GSPC', missing: 'drop' } as const;
    const data = { sources: [{ dataset: 'bundled' }], instruments: [own] };
    assert.equal((await build(await experiment({ data }), datasets)).prepared.rows, 1499);
    await assert.rejects(build(await experiment(), []), { code: 'features.noDataset' });
  });
});
