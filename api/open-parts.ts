import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Registry } from 'prom-client';
import type { Log, NamedDataset } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import type { TrustedKeys } from '../core/packages/signature.ts';
import type { ArtifactStore } from '../registry/artifact-store.ts';
import { sealingWith, type PackageKeys } from '../registry/artifacts-encrypted.ts';
import { earlierChampions } from '../registry/earlier-champions.ts';
import type { Db } from '../registry/in-transaction.ts';
import { ensureAdminKey, hashSecret, parseKeyToken } from '../registry/keys.ts';
import { openPackageCache } from '../registry/package-cache.ts';
import { loadPackage } from '../registry/packages.ts';
import { openAdvisor, type AdviceServices } from './advice/advisor.ts';
import { AsyncResults } from './async-results.ts';
import { Authenticator } from './auth.ts';
import { StartSweeper } from './start-sweeper.ts';
import { DeclaredStrategies } from './declared-strategies.ts';
import { streamPlaces } from './event-stream.ts';
import { EarlierAnswers } from './earlier-answers.ts';
import { InFlight } from './in-flight.ts';
import { KeyCache } from './key-cache.ts';
import { keepHouse, reportParity } from './housekeeping.ts';
import { createApiMetrics } from './metrics.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { ApiParts } from './parts.ts';
import { BarsStore } from './serving/bars-store.ts';
import { Explainer } from './serving/explainer.ts';
import { Forecaster } from './serving/forecaster.ts';
import { LocalServing } from './serving/local-serving.ts';
import { GraphPool } from './serving/graph-pool.ts';
import { ModelHost } from './serving/model-host.ts';
import { PackageSlots, type Slot } from './serving/package-slots.ts';
import { PredictionLog } from './serving/prediction-log.ts';
import { Recorder } from './serving/recorder.ts';
import { registryBars } from './serving/registry-bars.ts';
import { Replica } from './serving/replica.ts';
import { ShadowQueue } from './serving/shadow-queue.ts';
import { Spool } from './serving/spool.ts';
import { TrialHost } from './serving/trial-host.ts';
import { TrialRouting } from './serving/trial-routing.ts';
import { WrongKeyLimit } from './wrong-key-limit.ts';

/** Keys made or revoked elsewhere are known here after this long. */
const KEYS_MS = 3_000;
const HOUSEKEEPING_MS = 3_600_000;
/** Nights are computed again once a day. */
const PARITY_MS = 60_000;

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
  /** Aborted once the process drains; absent: it never does. */
  readonly stopping?: AbortSignal;
  readonly spoolBytes?: number;
  /** Packages that serve and are open at once. */
  readonly openModels?: number | undefined;
  /** Forecasts that are remembered; 0: each request computes its own. */
  readonly rememberedAnswers?: number | undefined;
  /** Encrypt the packages on this replica's disk; absent: they lie there as they are. */
  readonly packageKeys?: PackageKeys | undefined;
}

export interface ReplicaServices {
  readonly db: Db;
  readonly artifacts: ArtifactStore;
  readonly orchestrator: Orchestrator;
  readonly datasets: ReadonlyMap<string, NamedDataset>;
  readonly log: Log;
  readonly clock: () => number;
  readonly registry?: Registry;
  /** Absent: position advice comes from the rule. */
  readonly advice?: AdviceServices;
}

export interface RunningReplica {
  readonly parts: ApiParts;
  readonly replica: Replica;
  readonly recorder: Recorder;
  readonly spool: Spool;
  readonly host: ModelHost;
  readonly trials: TrialHost;
  readonly shadows: ShadowQueue;
  readonly slots: PackageSlots;
  /** Lease back, spool drained, packages closed. */
  stop(): Promise<void>;
}

interface Opened extends Omit<RunningReplica, 'stop'> {
  readonly bars: BarsStore;
  readonly pool: GraphPool;
  readonly explainer: Explainer;
}

/** Everything of a replica, restored from its folder; no loop runs yet. */
async function assemble(settings: ReplicaSettings, services: ReplicaServices): Promise<Opened> {
  const { db, log, clock, artifacts, orchestrator, datasets } = services;
  const { folder, allowedHosts, version } = settings;
  const metrics = createApiMetrics(services.registry);
  const keys = new KeyCache({ db, stateDir: folder, log });
  await keys.restore();
  if (settings.adminToken !== undefined) addAdminKey(keys, settings.adminToken, clock());
  const pool = new GraphPool();
  const slots = await openSlots(settings, services, pool, metrics);
  const reader = registryBars(db, datasets);
  const bars = new BarsStore({ reader, folder: join(folder, 'bars'), log });
  const { rememberedAnswers } = settings;
  const forecaster = new Forecaster({ bars, log, now: clock, rememberedAnswers });
  const warm = (slot: Slot): Promise<void> => forecaster.warm(slot);
  const host = new ModelHost({
    ...{ slots, folder, log, warm },
    now: monotonic,
    earlier: (model, limit) => earlierChampions(db, model, limit),
    onLoadFailure: (model) => metrics.loadFailures.inc({ model }),
  });
  await host.restore();
  const capacity = settings.spoolBytes;
  const spoolFolder = join(folder, 'spool');
  const spool = new Spool({
    ...{ folder: spoolFolder, log },
    ...(capacity === undefined ? {} : { capacity }),
  });
  const recorder = new Recorder({ db, spool, log, folder });
  const trials = new TrialHost({ host, metrics, log, now: monotonic });
  const replicaId = settings.replicaId;
  const replica = new Replica({ ...settings, id: replicaId, db, host, trials, log });
  const predictions = new PredictionLog({
    ...{ host, spool, metrics, replicaId, now: clock, codeVersion: version },
  });
  const onDropped = (): void =>
    metrics.trialPredictions.inc({ role: 'shadow', outcome: 'dropped' });
  const shadows = new ShadowQueue({ onDropped });
  const routing = new TrialRouting({
    ...{ trials, champions: host, forecaster, queue: shadows, predictions, metrics, log },
  });
  const hasKeys = (): boolean => keys.size > 0;
  const explainer = new Explainer();
  const serving = new LocalServing({
    ...{ db, datasets, host, forecaster, replica, predictions, explainer, hasKeys },
    ...{ trials: routing, graphs: pool },
  });
  const wrongKeys = new WrongKeyLimit(monotonic);
  const auth = new Authenticator({ keys, wrongKeys, addressOf: peerAddress, now: clock });
  const results = new AsyncResults({ db, log, replicaId, now: clock });
  const advisor = openAdvisor(services.advice, { now: monotonic, log });
  const stopping = settings.stopping ?? new AbortController().signal;
  // As many listen as there are streams and WebSockets open.
  setMaxListeners(0, stopping);
  const declared = new DeclaredStrategies({ folder, log });
  await declared.restore();
  const parts: ApiParts = {
    ...{ db, artifacts, orchestrator, serving, results, auth, keys, datasets, metrics, log },
    ...{ advisor, declared, earlierAnswers: new EarlierAnswers(serving) },
    ...{ allowedHosts, clock, version, stopping },
    streams: streamPlaces(),
    inFlight: new InFlight(),
  };
  return { parts, replica, recorder, spool, host, trials, shadows, bars, slots, pool, explainer };
}

const monotonic = (): number => performance.now();

async function openSlots(
  settings: ReplicaSettings,
  { db, artifacts, log }: ReplicaServices,
  pool: GraphPool,
  metrics: ApiParts['metrics'],
): Promise<PackageSlots> {
  const sealing = sealingWith(settings.packageKeys);
  const cache = await openPackageCache(join(settings.folder, 'packages'), sealing);
  const onCacheProblem = (error: unknown): void =>
    log.error({ err: error }, 'the local package cache has a problem');
  const trusted = settings.trustedKeys;
  return new PackageSlots({
    load: (version) => loadPackage({ db, artifacts }, version, trusted, { cache, onCacheProblem }),
    openers: { openSession, openMonteCarlo: pool.open },
    onBatch: (size) => metrics.batchSize.observe(size),
    limit: settings.openModels,
  });
}

/** Opens one replica's serving and starts its loops. Works, and serves what it knows, without any server. */
export async function openReplica(
  settings: ReplicaSettings,
  services: ReplicaServices,
): Promise<RunningReplica> {
  const { bars, pool, explainer, ...opened } = await assemble(settings, services);
  const { parts, replica, recorder, spool, shadows, slots } = opened;
  const { db, log, keys } = parts;
  const sweeper = new StartSweeper(parts, parts.clock);
  const refreshKeys = (): Promise<void> => syncKeys(db, keys, settings.adminToken, log);
  await refreshKeys();
  await replica.start();
  bars.start();
  recorder.start();
  sweeper.start();
  parts.results.start();
  void reportParity(parts);
  const timers = [
    setInterval(() => void refreshKeys(), KEYS_MS),
    setInterval(() => void keepHouse(db, log), HOUSEKEEPING_MS),
    setInterval(() => report(opened), KEYS_MS),
    setInterval(() => void reportParity(parts), PARITY_MS),
    setInterval(() => void parts.declared.readNew(parts, opened.host.models), KEYS_MS),
  ];
  for (const timer of timers) timer.unref();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      for (const timer of timers) clearInterval(timer);
      sweeper.stop();
      await parts.results.stop();
      bars.stop();
      await replica.stop();
      await shadows.close();
      await recorder.stop();
      spool.close();
      await slots.close();
      await pool.close();
      await explainer.close();
    })();
    return stopped;
  };
  return { ...opened, stop };
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

function report({ parts, spool, host, shadows, slots }: Omit<RunningReplica, 'stop'>): void {
  parts.metrics.openPackages.set(slots.size);
  parts.metrics.spoolBytes.set(spool.bytes);
  parts.metrics.shadowQueue.set(shadows.length);
  for (const model of host.models) {
    const generation = host.active(model)?.served.generation ?? 0;
    parts.metrics.generation.set({ model }, generation);
    parts.metrics.standIn.set({ model }, host.standsIn(model) ? 1 : 0);
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
