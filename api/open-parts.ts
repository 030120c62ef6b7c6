import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Registry } from 'prom-client';
import type { Log, NamedDataset } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import type { TrustedKeys } from '../core/packages/signature.ts';
import type { ArtifactStore } from '../registry/artifact-store.ts';
import type { Db } from '../registry/in-transaction.ts';
import { ensureAdminKey, hashSecret, parseKeyToken } from '../registry/keys.ts';
import { forgetOldIdempotencyKeys } from '../registry/idempotency.ts';
import { openPackageCache } from '../registry/package-cache.ts';
import { loadPackage } from '../registry/packages.ts';
import { forgetOldReplicas } from '../registry/replicas.ts';
import { Authenticator } from './auth.ts';
import { isDatabaseAway } from './errors.ts';
import { ExperimentSweeper } from './experiment-start.ts';
import { KeyCache } from './key-cache.ts';
import { createApiMetrics } from './metrics.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { ApiParts } from './parts.ts';
import { BarsStore } from './serving/bars-store.ts';
import { Forecaster } from './serving/forecaster.ts';
import { createServing } from './serving/local-serving.ts';
import { McPool } from './serving/mc-pool.ts';
import { ModelHost } from './serving/model-host.ts';
import { PackageSlots, type Slot } from './serving/package-slots.ts';
import { Recorder } from './serving/recorder.ts';
import { registryBars } from './serving/registry-bars.ts';
import { Replica } from './serving/replica.ts';
import { Spool } from './serving/spool.ts';
import { WrongKeyLimit } from './wrong-key-limit.ts';

/** Keys made or revoked elsewhere are known here after this long. */
const KEYS_MS = 3_000;
const HOUSEKEEPING_MS = 3_600_000;

export interface ReplicaSettings {
  /** Stable name of this replica on this machine; its folder. */
  readonly replicaId: string;
  /** Folder of this replica alone. */
  readonly folder: string;
  /** Whose signatures make a package one of ours. */
  readonly trustedKeys: TrustedKeys;
  /** The operator's key; absent: keys come from the database alone. */
  readonly adminToken: string | undefined;
  /** Where NOTIFY is heard; absent: polling alone. */
  readonly notificationsUrl: string | undefined;
  readonly address: () => string;
  readonly allowedHosts: () => ReadonlySet<string>;
  readonly version: string;
  readonly spoolBytes?: number;
}

export interface ReplicaServices {
  readonly db: Db;
  readonly artifacts: ArtifactStore;
  readonly orchestrator: Orchestrator;
  readonly datasets: ReadonlyMap<string, NamedDataset>;
  readonly log: Log;
  readonly clock: () => number;
  readonly registry?: Registry;
}

export interface RunningReplica {
  readonly parts: ApiParts;
  readonly replica: Replica;
  readonly recorder: Recorder;
  readonly spool: Spool;
  readonly host: ModelHost;
  /** Lease back, spool drained, packages closed. */
  stop(): Promise<void>;
}

/** Opens one replica's serving and starts its loops. Works, and serves what it knows, without any server. */
export async function openReplica(
  settings: ReplicaSettings,
  services: ReplicaServices,
): Promise<RunningReplica> {
  const { db, log, clock, artifacts } = services;
  const { folder } = settings;
  const metrics = createApiMetrics(services.registry);
  const keys = new KeyCache({ db, stateDir: folder, log });
  await keys.restore();
  const admin = settings.adminToken;
  if (admin !== undefined) addAdminKey(keys, admin, clock());

  const pool = new McPool();
  const trusted = settings.trustedKeys;
  const cache = await openPackageCache(join(folder, 'packages'));
  const onCacheProblem = (error: unknown): void =>
    log.error({ err: error }, 'the local package cache has a problem');
  const slots = new PackageSlots({
    load: (version) => loadPackage({ db, artifacts }, version, trusted, { cache, onCacheProblem }),
    openers: { openSession, openMonteCarlo: pool.open },
    onBatch: (size) => metrics.batchSize.observe(size),
  });
  const now = (): number => performance.now();
  const reader = registryBars(db, services.datasets);
  const bars = new BarsStore({ reader, folder: join(folder, 'bars'), log });
  const forecaster = new Forecaster({ bars, log, now: clock });
  const warm = (slot: Slot): Promise<void> => forecaster.warm(slot);
  const host = new ModelHost({ slots, folder, log, now, warm });
  await host.restore();
  const spool = new Spool({
    folder: join(folder, 'spool'),
    log,
    ...(settings.spoolBytes === undefined ? {} : { capacity: settings.spoolBytes }),
  });
  const recorder = new Recorder({ db, spool, log, folder, isDatabaseAway });
  const id = settings.replicaId;
  const replica = new Replica({ ...settings, id, db, host, log });
  const hasKeys = (): boolean => keys.size > 0;
  const serving = createServing({
    ...{ db, host, forecaster, replica, spool, metrics, log, hasKeys },
    now: clock,
  });
  const auth = new Authenticator({
    keys,
    wrongKeys: new WrongKeyLimit(now),
    addressOf: peerAddress,
    now: clock,
  });
  const sweeper = new ExperimentSweeper({ db, log, orchestrator: services.orchestrator }, clock);
  const { orchestrator, datasets } = services;
  const { allowedHosts, version } = settings;
  const parts: ApiParts = {
    ...{ db, artifacts, orchestrator, serving, auth, keys, datasets, metrics, log },
    ...{ allowedHosts, clock, version },
  };

  const refreshKeys = (): Promise<void> => syncKeys(db, keys, admin, log);
  await refreshKeys();
  await replica.start();
  bars.start();
  recorder.start();
  sweeper.start();
  const timers = [
    setInterval(() => void refreshKeys(), KEYS_MS),
    setInterval(() => void keepHouse(db, log), HOUSEKEEPING_MS),
    setInterval(() => report(parts, spool, host), KEYS_MS),
  ];
  for (const timer of timers) timer.unref();
  const stop = async (): Promise<void> => {
    for (const timer of timers) clearInterval(timer);
    sweeper.stop();
    bars.stop();
    await replica.stop();
    await recorder.stop();
    spool.close();
    await slots.close();
    await pool.close();
  };
  return { parts, replica, recorder, spool, host, stop };
}

/** The operator's key works at once, before the database was reached. */
function addAdminKey(keys: KeyCache, token: string, now: number): void {
  const parsed = parseKeyToken(token);
  if (!parsed) {
    throw new RatchetError('config.admin-key', 'the admin key file does not hold rk_<id>_<secret>');
  }
  keys.add({
    id: parsed.id,
    name: 'admin',
    hash: hashSecret(parsed.secret),
    scopes: ['admin'],
    models: [],
    createdAt: new Date(now),
    expiresAt: null,
    revokedAt: null,
  });
}

async function syncKeys(
  db: Db,
  keys: KeyCache,
  admin: string | undefined,
  log: Log,
): Promise<void> {
  try {
    if (admin !== undefined && !keys.adminIsStored) {
      await ensureAdminKey(db, admin);
      keys.adminIsStored = true;
    }
    await keys.refresh();
  } catch (error) {
    log.debug({ err: error }, 'keys could not be refreshed');
  }
}

async function keepHouse(db: Db, log: Log): Promise<void> {
  try {
    await forgetOldIdempotencyKeys(db);
    await forgetOldReplicas(db);
  } catch (error) {
    log.debug({ err: error }, 'housekeeping waits for the database');
  }
}

function report(parts: ApiParts, spool: Spool, host: ModelHost): void {
  parts.metrics.spoolBytes.set(spool.bytes);
  for (const model of host.models) {
    const generation = host.active(model)?.served.generation ?? 0;
    parts.metrics.generation.set({ model }, generation);
  }
}

/** The peer of the connection; what a header says about it is not believed. */
const peerAddress: Authenticator['parts']['addressOf'] = (c) => {
  try {
    return getConnInfo(c).remote.address?.replace(/^::ffff:/, '') ?? 'unknown';
  } catch {
    // `app.request()` in tests has no connection.
    return 'in-process';
  }
};

/** Text of a key file without its line end. */
export const readKeyFile = async (path: string): Promise<string> =>
  (await readFile(path, 'utf8')).trim();
