/** A champion on simulated hourly bars whose forecasts and outcomes are written as settling writes them. */
import { MockActivityEnvironment } from '@temporalio/testing';
import type { MonitorResult } from '../../activities/contracts-lifecycle.ts';
import type { ActivityDeps, NamedDataset } from '../../activities/deps.ts';
import { createMonitorActivities } from '../../activities/monitor.ts';
import { barCount, type Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { TEST_ROWS } from '../../core/evaluation/index.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { simulateBars } from '../../core/sources/simulate.ts';
import { simulatedParams } from '../../core/sources/simulated.ts';
import { experimentSpecSchema } from '../../core/spec/spec.ts';
import { openS3Store } from '../../registry/artifacts-s3.ts';
import { putJson } from '../../registry/artifacts.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { appendBars } from '../../registry/bars.ts';
import { finishCollection, seriesSource, startCollection } from '../../registry/collections.ts';
import { createExperiment, startExperiment } from '../../registry/experiments.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { ensureModel, registerVersion, reserveVersion } from '../../registry/models.ts';
import { ensurePredictionMonth } from '../../registry/predictions.ts';
import { INSTRUMENT, momentumForecast, settleServed, testRowsOf, WALL } from './monitored-rows.ts';
import { openTestDatabase } from './postgres.ts';
import { startS3 } from './s3.ts';

const DAY = 86_400_000;
/** The test part, long enough for a calibration: 430 days. */
const TEST_FROM = Date.parse('2022-07-01');
const BARS_TO = Date.parse('2023-12-20');

export interface MonitoredOptions {
  readonly model: string;
  /** Of the simulated source. */
  readonly params?: object;
  /** Bars of a drift window. */
  readonly window: number;
  /** First decision time of the test rows that are kept; null: none are, as in old versions. */
  readonly testFrom?: number | null;
}

export interface MonitoredModel {
  readonly bars: Bars;
  /** Settles everything known by this instant (ISO), as the settle activity does. */
  settle(asOf: string): Promise<void>;
  /** One attempt of the activity. */
  report(asOf: string, environment?: MockActivityEnvironment): Promise<MonitorResult>;
  /** Another version takes over. */
  crown(testFrom?: number | null): Promise<number>;
}

export interface MonitorFixture {
  readonly db: Db;
  readonly artifacts: ArtifactStore;
  add(options: MonitoredOptions): Promise<MonitoredModel>;
  /** Reports of a model that was added, by a worker that has just started. */
  reopen(model: string): (asOf: string) => Promise<MonitorResult>;
  close(): Promise<void>;
}

/** A real database and a real S3 server. */
export async function openMonitorFixture(): Promise<MonitorFixture> {
  const database = await openTestDatabase();
  const s3 = await startS3();
  const artifacts = openS3Store(s3);
  const datasets = new Map<string, NamedDataset>();
  await ensurePredictionMonth(database.db, WALL);
  return {
    db: database.db,
    artifacts,
    async add(options) {
      const dataset = datasetOf(options);
      datasets.set(options.model, dataset);
      return addMonitored(database.db, artifacts, dataset, options);
    },
    reopen: (model) => {
      const deps = depsOf(database.db, openS3Store(s3), datasets.get(model)!);
      return (asOf) =>
        new MockActivityEnvironment().run(createMonitorActivities(deps).monitor, { model, asOf });
    },
    async close() {
      await database.close();
      await s3.stop();
    },
  };
}

const datasetOf = ({ model, params }: MonitoredOptions): NamedDataset => ({
  name: `sim-${model}`,
  source: 'simulated',
  params: { calendar: '24x7', start: '2022-01-01', momentum: 0.25, ...params },
  hosts: [],
  calendar: '24x7',
});

async function addMonitored(
  db: Db,
  artifacts: ArtifactStore,
  dataset: NamedDataset,
  options: MonitoredOptions,
): Promise<MonitoredModel> {
  const { model, window } = options;
  const bars = simulateBars(simulatedParams.parse(dataset.params), INSTRUMENT, '1h', BARS_TO);
  await storeBars(db, dataset, bars);
  const spec = experimentSpecSchema.parse({
    name: model,
    model,
    data: { sources: [{ dataset: dataset.name }], instruments: [INSTRUMENT], timeframe: '1h' },
    label: { horizons: [1] },
    monitor: { window },
    retrain: { maxAge: 2000 },
  });
  await ensureModel(db, { name: model, instruments: [INSTRUMENT], timeframe: '1h' }, ASKER);
  const forecast = momentumForecast(bars);
  let versions = 0;
  let version = 0;
  const crown = async (testFrom: number | null = TEST_FROM): Promise<number> => {
    const experimentId = `${model}-${++versions}`;
    await createExperiment(db, {
      id: experimentId,
      name: model,
      model,
      spec,
      specHash: 'spec',
      workflowId: `experiment/${experimentId}`,
      ...ASKER,
    });
    await startExperiment(db, experimentId);
    const rows = testFrom === null ? null : testRowsOf(model, bars, forecast, testFrom);
    version = await register(db, artifacts, { model, experimentId, rows });
    await makeChampion(db, model, version, versions);
    return version;
  };
  await crown(options.testFrom);
  const deps = depsOf(db, artifacts, dataset);
  return {
    bars,
    settle: (asOf) => settleServed(db, { model, version, bars, forecast, asOf: Date.parse(asOf) }),
    report: (asOf, environment = new MockActivityEnvironment()) =>
      environment.run(createMonitorActivities(deps).monitor, { model, asOf }),
    crown,
  };
}

const ASKER = { actor: 'key-1', requestId: 'request-1' };

function depsOf(db: Db, artifacts: ArtifactStore, dataset: NamedDataset): ActivityDeps {
  const nothing = (): void => {};
  return {
    db,
    artifacts,
    datasets: new Map([[dataset.name, dataset]]),
    sourceContext: () => {
      throw new Error('a monitor collects nothing');
    },
    clock: () => {
      throw new Error('a monitor reads no clock');
    },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  } as Partial<ActivityDeps> as ActivityDeps;
}

async function storeBars(db: Db, dataset: NamedDataset, bars: Bars): Promise<void> {
  const source = seriesSource(dataset);
  const key = { dataset: dataset.name, source, instrument: INSTRUMENT, timeframe: '1h' as const };
  const collectionId = await startCollection(db, key, 'primary', WALL.getTime());
  await appendBars(db, source, bars, {
    collectionId,
    arrivedAt: WALL.getTime(),
    calendar: calendarFor('24x7'),
    declaredDelayMs: 0,
  });
  await finishCollection(db, collectionId, {
    status: 'delivered',
    rows: barCount(bars),
    notes: [],
    finishedAt: WALL.getTime(),
  });
}

async function register(
  db: Db,
  artifacts: ArtifactStore,
  made: { readonly model: string; readonly experimentId: string; readonly rows: Uint8Array | null },
): Promise<number> {
  const { model, experimentId } = made;
  const set = featureSetOrThrow('technical-152');
  const { version } = await reserveVersion(db, {
    model,
    reservationKey: `${experimentId}/${model}`,
    experimentId,
    family: 'ridge',
    seed: 1,
    instruments: [INSTRUMENT],
    specHash: 'spec',
    datasetHash: 'bars',
  });
  const trainedThrough = new Date(TEST_FROM - DAY).toISOString();
  const manifest = await putJson(artifacts, {
    ...{ format: 1, model, version, family: 'ridge', instruments: [INSTRUMENT], timeframe: '1h' },
    ...{ featureSet: set.name, featureHash: set.hash, lookback: 5, seed: 1, libraries: {} },
    label: { kind: 'forwardLogReturn', horizons: [1] },
    ...{ datasetHash: 'bars', specHash: 'spec', weightsDigest: 'weights', codeVersion: 'test' },
    trainedThrough,
    workflowId: `experiment/${experimentId}`,
    createdAt: WALL.toISOString(),
    files: [],
  });
  const stored = made.rows === null ? null : await artifacts.put(made.rows);
  const attachments = stored ? [{ name: TEST_ROWS, ...stored }] : [];
  await registerVersion(db, {
    model,
    version,
    manifestUri: manifest.uri,
    packageDigest: manifest.sha256,
    packageBytes: 1,
    evaluationUri: manifest.uri,
    attachments,
    metrics: {},
    beatsNaive: true,
    verdict: 'Made for a test.',
    trainedThrough,
    actor: 'workflow',
  });
  return version;
}

async function makeChampion(
  db: Db,
  model: string,
  version: number,
  generation: number,
): Promise<void> {
  const id = `promotion-${model}-${generation}`;
  const promoted = { model, version, actor: 'key-1', reason: 'test' };
  await db
    .insertInto('promotion')
    .values({ id, ...promoted, expected_generation: generation - 1, status: 'promoted' })
    .execute();
  await db
    .updateTable('champion')
    .set({ valid_to: new Date() })
    .where('model', '=', model)
    .where('valid_to', 'is', null)
    .execute();
  await db
    .insertInto('champion')
    .values({ ...promoted, generation, valid_from: new Date(), promotion_id: id })
    .execute();
  const state = { generation, champion_version: version, changed_at: new Date() };
  await db
    .insertInto('model_state')
    .values({ model, ...state })
    .onConflict((oc) => oc.column('model').doUpdateSet(state))
    .execute();
}
