/** A model with versions, stored bars and recorded predictions: what settling works on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { AtSlot } from '../../activities/contracts-lifecycle.ts';
import type { ActivityDeps, NamedDataset } from '../../activities/deps.ts';
import { createSettleActivities, type SettledCounts } from '../../activities/settle.ts';
import { createTopUpActivities } from '../../activities/top-up.ts';
import type { Bars } from '../../core/bars/index.ts';
import { isoTime } from '../../core/calendar/day.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import type { Direction } from '../../core/predict/index.ts';
import type { ExperimentSpec } from '../../core/spec/spec.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { appendBars } from '../../registry/bars.ts';
import { finishCollection, seriesSource, startCollection } from '../../registry/collections.ts';
import { experimentEvents } from '../../registry/experiments.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { storePackage } from '../../registry/packages.ts';
import { ensurePredictionMonth, insertPredictions } from '../../registry/predictions.ts';
import type { PredictionRow } from '../../registry/predictions.ts';
import { createSourceContext } from '../../workers/source-context.ts';
import { memoryLog } from './api-fixture.ts';
import { makePackage, testKeys } from './model-package.ts';
import { noWebhooks } from './no-webhooks.ts';
import { openTestDatabase, type TestDatabase } from './postgres.ts';
import {
  addExperiment,
  addModel,
  MODEL,
  registration,
  reservation,
  testSpec,
} from './registry-facts.ts';

export const INSTRUMENT = '^GSPC';
/** Of the packages made here: variance of the training labels over h bars. */
export const varianceOf = (horizon: number): number => (0.01 * Math.sqrt(horizon)) ** 2;

export interface SaidPrediction {
  readonly id: string;
  readonly asOf: number;
  readonly version?: number;
  readonly instrument?: string;
  readonly lastClose?: number;
  readonly horizons: readonly {
    readonly horizon: number;
    readonly change: number;
    readonly interval80?: readonly [number, number];
  }[];
  /** Wall time it was made at; default: the fixture's now. */
  readonly at?: number;
  readonly row?: Partial<PredictionRow>;
  readonly answer?: Readonly<Record<string, unknown>>;
}

export interface SettleFixture {
  readonly database: TestDatabase;
  readonly db: Db;
  readonly deps: ActivityDeps;
  readonly log: ReturnType<typeof memoryLog>;
  readonly clock: { now: number };
  /** Registers a version; `packaged: false`: without a package, so that no variance is known. */
  addVersion(options?: {
    readonly spec?: ExperimentSpec;
    readonly packaged?: boolean;
    readonly trainedThrough?: string;
  }): Promise<number>;
  /** Stores bars that arrive at `arrivedAt` (ms UTC). */
  addBars(bars: Bars, options: { arrivedAt: number; dataset?: string }): Promise<void>;
  record(predictions: readonly SaidPrediction[]): Promise<void>;
  settle(asOf: string, environment?: MockActivityEnvironment): Promise<SettledCounts>;
  topUp(asOf: string, environment?: MockActivityEnvironment): ReturnType<TopUp>;
  close(): Promise<void>;
}

type TopUp = ReturnType<typeof createTopUpActivities>['topUpBars'];

/** An activity's context that keeps its warnings to itself. */
export const quietContext = (info: { attempt?: number } = {}): MockActivityEnvironment =>
  new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });

const directionOf = (change: number): Direction =>
  change > 0.005 ? 'up' : change < -0.005 ? 'down' : 'neutral';

export async function openSettleFixture(options: {
  readonly now: number;
  readonly datasets?: readonly NamedDataset[];
}): Promise<SettleFixture> {
  const database = await openTestDatabase();
  const { db } = database;
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-settle-'));
  const log = memoryLog();
  const clock = { now: options.now };
  const unused = (): never => {
    throw new Error('no part of settling');
  };
  const datasets = new Map(await loadDatasets({ dataDir: undefined }, undefined));
  for (const dataset of options.datasets ?? []) datasets.set(dataset.name, dataset);
  const deps: ActivityDeps = {
    db,
    artifacts: openDirectoryStore(folder),
    datasets,
    sourceContext: createSourceContext,
    trainer: { train: unused },
    sign: unused,
    trustedKeys: testKeys,
    events: experimentEvents(db),
    clock: () => clock.now,
    codeVersion: 'test',
    log,
    webhooks: noWebhooks,
  };
  await addModel(db);
  let versions = 0;
  const { settle } = createSettleActivities(deps);
  const { topUpBars } = createTopUpActivities(deps);
  const at = (asOf: string): AtSlot => ({ model: MODEL, asOf });
  return {
    ...{ database, db, deps, log, clock },
    addVersion: (version = {}) => addVersion(deps, ++versions, version),
    addBars: (bars, arrival) => addBars(deps, bars, arrival),
    record: (predictions) => record(db, clock.now, predictions),
    settle: (asOf, environment = quietContext()) => environment.run(settle, at(asOf)),
    topUp: (asOf, environment = quietContext()) => environment.run(topUpBars, at(asOf)),
    async close() {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function addVersion(
  { db, artifacts }: ActivityDeps,
  n: number,
  {
    spec = testSpec(),
    packaged = true,
    trainedThrough,
  }: Parameters<SettleFixture['addVersion']>[0] & {},
): Promise<number> {
  await addExperiment(db, n, spec);
  const { version } = await reserveVersion(db, reservation(n));
  const facts = { ...registration(version), ...(trainedThrough && { trainedThrough }) };
  if (!packaged) {
    await registerVersion(db, facts);
    return version;
  }
  const built = await makePackage({ version, seed: `version-${n}`, monteCarlo: false });
  const { uri: manifestUri } = await storePackage(db, artifacts, built.files);
  await registerVersion(db, { ...facts, manifestUri, packageDigest: built.packageDigest });
  return version;
}

async function addBars(
  { db, datasets }: ActivityDeps,
  bars: Bars,
  { arrivedAt, dataset: name = 'sp500-daily' }: { arrivedAt: number; dataset?: string },
): Promise<void> {
  const dataset = datasets.get(name)!;
  const source = seriesSource(dataset);
  const { instrument, timeframe } = bars;
  const key = { dataset: name, source, instrument, timeframe };
  const collectionId = await startCollection(db, key, 'primary', arrivedAt);
  const calendar = calendarFor(dataset.calendar);
  await appendBars(db, source, bars, { collectionId, arrivedAt, calendar, declaredDelayMs: 0 });
  const outcome = { status: 'delivered', rows: bars.openTime.length, notes: [] } as const;
  await finishCollection(db, collectionId, { ...outcome, finishedAt: arrivedAt });
}

async function record(db: Db, now: number, predictions: readonly SaidPrediction[]): Promise<void> {
  const rows = predictions.map((said) => rowOf(said, now));
  const months = new Set(rows.map(({ at }) => String(at).slice(0, 7)));
  for (const month of months) await ensurePredictionMonth(db, new Date(`${month}-01T00:00:00Z`));
  for (let from = 0; from < rows.length; from += 1_000) {
    await insertPredictions(db, rows.slice(from, from + 1_000));
  }
}

function rowOf(said: SaidPrediction, now: number): PredictionRow {
  const { id, version = 1, instrument = INSTRUMENT, lastClose = 100 } = said;
  const timeframe = said.asOf % 86_400_000 === 0 ? '1d' : '1h';
  const calendar = calendarFor(timeframe === '1d' ? 'nyse' : '24x7');
  const asOf = new Date(said.asOf).toISOString();
  const horizons = said.horizons.map(({ horizon, change, interval80 = null }) => {
    const target = calendar.addBars(said.asOf, horizon, timeframe);
    return {
      horizon,
      targetDate: timeframe === '1d' ? isoTime(target) : new Date(target).toISOString(),
      price: lastClose * (1 + change),
      change,
      direction: directionOf(change),
      ...{ confidence: null, relativeStd: null, probabilityUp: null, interval80 },
    };
  });
  const answer = { id, model: MODEL, version, instrument, asOf, lastClose, horizons };
  return {
    ...{ id, batch_id: id, model: MODEL, version, instrument, as_of: asOf },
    at: new Date(said.at ?? now).toISOString(),
    generation: 1,
    package_digest: 'ab'.repeat(32),
    ...{ request_id: 'request', key_id: 'key', replica_id: 'replica' },
    answer: JSON.stringify({ ...answer, fallback: null, ...said.answer }),
    duration_ms: 1,
    ...said.row,
  };
}
