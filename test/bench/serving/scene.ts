/** A model that serves: real PostgreSQL, bars, a champion, API processes of dist/, and its graphs for the peers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calendarFor } from '../../../core/calendar/index.ts';
import { PACKAGE_PATHS } from '../../../core/packages/files.ts';
import { verifyPackage } from '../../../core/packages/verify.ts';
import { windowFromBars } from '../../../core/predict/index.ts';
import type { PredictionWindow } from '../../../core/predict/index.ts';
import { artifactStoreOf } from '../../../infra/artifact-store.ts';
import { readConfig } from '../../../infra/config.ts';
import { loadDatasets } from '../../../infra/datasets.ts';
import { API_FLAGS } from '../../../infra/stack/own.ts';
import { projectRoot } from '../../../infra/project.ts';
import { appendBars } from '../../../registry/bars.ts';
import { finishCollection, seriesSource, startCollection } from '../../../registry/collections.ts';
import { openDatabase } from '../../../registry/db.ts';
import type { Db } from '../../../registry/in-transaction.ts';
import { newKeyToken } from '../../../registry/keys.ts';
import { registerVersion, reserveVersion } from '../../../registry/models.ts';
import { storePackage } from '../../../registry/packages.ts';
import { announcePromotion, switchChampion } from '../../../registry/promotions.ts';
import { expectedOf, makePackage, testKeys, testVerifyPem } from '../../support/model-package.ts';
import { startPostgres } from '../../support/postgres.ts';
import {
  addExperiment,
  addModel,
  MODEL,
  registration,
  reservation,
} from '../../support/registry-facts.ts';
import { freePort, startServer, untilReady } from '../../support/server-process.ts';
import { syntheticBars } from '../../support/synthetic-bars.ts';

export const INSTRUMENT = '^GSPC';
export const BARS = 6_300;
const DATASET = 'sp500-daily';
export const LOOKBACK = 60;
/** The index predictor's network. */
const SIZE = { lookback: LOOKBACK, units: [50, 50], dense: [25], branch: 16 };

/** Those that are stored, the same at each call. */
export const servedBars = () =>
  syntheticBars(BARS, { seed: 'serving', instrument: INSTRUMENT, first: '1995-01-03' });

export interface Server {
  readonly port: number;
  close(): Promise<void>;
}

export interface ServingScene {
  /** What its API processes are started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly model: string;
  readonly key: string;
  readonly window: PredictionWindow;
  /** An API process; `env`: settings of its own. */
  api(env?: Readonly<Record<string, string>>): Promise<Server>;
  /** Predictions in the registry. */
  recorded(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens it in `folder`, and writes there for the peers: model.onnx, model-mc.onnx, and window.f64, the newest window
 * [lookback x features] of float64.
 */
export async function openServingScene(folder: string): Promise<ServingScene> {
  const state = join(folder, 'state');
  mkdirSync(state, { recursive: true });
  const key = newKeyToken();
  const files = { verify: join(state, 'verify.pem'), admin: join(state, 'admin.key') };
  writeFileSync(files.verify, testVerifyPem);
  writeFileSync(files.admin, key);
  const postgres = await startPostgres();
  const url = await postgres.createDatabase({ migrated: true });
  const env = {
    RATCHET_STATE: state,
    RATCHET_DATABASE_URL: url,
    RATCHET_VERIFY_KEY_FILE: files.verify,
    RATCHET_ADMIN_KEY_FILE: files.admin,
    // Nothing is asked of it.
    RATCHET_TEMPORAL_ADDRESS: '127.0.0.1:1',
    RATCHET_LOG_LEVEL: 'error',
  };
  const db = openDatabase(url);
  const window = await addChampion(db, env, folder);
  return {
    ...{ env, model: MODEL, key, window },
    api: (own = {}) => startApi({ ...env, ...own }),
    async recorded() {
      const all = db.selectFrom('prediction').select((eb) => eb.fn.countAll<string>().as('n'));
      return Number((await all.executeTakeFirstOrThrow()).n);
    },
    async close() {
      await db.destroy();
      await postgres.stop();
    },
  };
}

/** Bars and a champion in the registry; gives the window that it answers from. */
async function addChampion(
  db: Db,
  env: NodeJS.ProcessEnv,
  folder: string,
): Promise<PredictionWindow> {
  const config = readConfig(env);
  const bars = servedBars();
  const dataset = (await loadDatasets(config)).get(DATASET)!;
  const calendar = calendarFor('nyse');
  const now = calendar.closeTime(bars.openTime.at(-1)!, '1d');
  const source = seriesSource(dataset);
  const series = { dataset: DATASET, source, instrument: INSTRUMENT, timeframe: '1d' as const };
  const collectionId = await startCollection(db, series, 'primary', now);
  await appendBars(db, source, bars, {
    collectionId,
    arrivedAt: now,
    calendar,
    declaredDelayMs: 0,
  });
  const delivered = { status: 'delivered', rows: BARS, notes: [], finishedAt: now } as const;
  await finishCollection(db, collectionId, delivered);
  await addModel(db);
  await addExperiment(db, 1);
  const { version } = await reserveVersion(db, reservation(1));
  const built = await makePackage({ version, seed: 'serving', monteCarlo: true, size: SIZE });
  const manifest = await storePackage(db, artifactStoreOf(config), built.files);
  const { packageDigest } = built;
  await registerVersion(db, { ...registration(version), manifestUri: manifest.uri, packageDigest });
  const promotionId = 'bench';
  const intent = { promotionId, model: MODEL, version, actor: 'bench', reason: 'bench' };
  await announcePromotion(db, { ...intent, expectedGeneration: 0 });
  await switchChampion(db, promotionId);
  const verified = verifyPackage(built.files, testKeys, expectedOf(built));
  const window = windowFromBars(verified, bars, { asOf: now, fromFirstBar: true });
  writeFileSync(join(folder, 'model.onnx'), built.files.get(PACKAGE_PATHS.model)!);
  writeFileSync(join(folder, 'model-mc.onnx'), built.files.get(PACKAGE_PATHS.monteCarlo)!);
  writeFileSync(join(folder, 'window.f64'), window.values);
  return window;
}

async function startApi(env: Readonly<Record<string, string>>): Promise<Server> {
  const port = await freePort();
  const own = { RATCHET_API_PORT: String(port), RATCHET_REPLICA: `bench-${port}` };
  const main = join(projectRoot, 'dist/api/server.js');
  return startHttp(
    'the API',
    process.execPath,
    [...API_FLAGS, main],
    { ...env, ...own },
    port,
    '/readyz',
  );
}

/** A server of HTTP on a port that its arguments name; it answers `path` when this resolves. */
export async function startHttp(
  what: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  port: number,
  path: string,
): Promise<Server> {
  const options = { env: { ...process.env, ...env }, endsItself: true };
  const server = startServer(command, args, options);
  const ready = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}${path}`)).ok;
  await untilReady(server, what, ready);
  return { port, close: () => server.kill() };
}
