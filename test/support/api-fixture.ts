/** A model with two real packages, real bars in a real PostgreSQL, and replicas of the API on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ulid } from 'ulid';
import type { Log, NamedDataset } from '../../activities/deps.ts';
import { createApp } from '../../api/app.ts';
import { openReplica, type ReplicaServices, type RunningReplica } from '../../api/open-parts.ts';
import type { Orchestrator } from '../../api/orchestrator.ts';
import type { LifecycleOrder, OrderAnswer } from '../../api/orchestrator-lifecycle.ts';
import type { App } from '../../api/secure.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { RatchetError } from '../../core/errors.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { appendBars } from '../../registry/bars.ts';
import { modelGeneration } from '../../registry/champions.ts';
import { finishCollection, seriesSource, startCollection } from '../../registry/collections.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { newKeyToken } from '../../registry/keys.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { storePackage } from '../../registry/packages.ts';
import { replicaReadiness } from '../../registry/promotion-answers.ts';
import {
  announcePromotion,
  switchChampion,
  withdrawPromotion,
  type SwitchResult,
} from '../../registry/promotions.ts';
import type { SlotInput } from '../../workflows/lifecycle-messages.ts';
import { walkBars } from './made-bars.ts';
import { makePackage, testKeys, type PackageOptions } from './model-package.ts';
import { openTestDatabase, type TestDatabase } from './postgres.ts';
import { addExperiment, addModel, MODEL, registration, reservation } from './registry-facts.ts';

export const INSTRUMENT = '^GSPC';
/** Wall time of the tests: a Friday evening after the last bar has closed. */
export const NOW = Date.parse('2020-01-03T23:00:00Z');
export const ADMIN = newKeyToken();

export const DATASETS: ReadonlyMap<string, NamedDataset> = new Map([
  [
    'sp500-daily',
    {
      name: 'sp500-daily',
      source: 'csv',
      params: {},
      hosts: [],
      calendar: 'nyse',
      instruments: [INSTRUMENT],
    },
  ],
]);

/** Lines that a test may look at, and the fields of each. */
export function memoryLog(): Log & {
  readonly lines: { level: string; message: string }[];
  readonly fields: object[];
} {
  const lines: { level: string; message: string }[] = [];
  const fields: object[] = [];
  const at =
    (level: string) =>
    (of: object, message: string): void => {
      lines.push({ level, message });
      fields.push(of);
    };
  return {
    lines,
    fields,
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    debug: at('debug'),
  };
}

/** Temporal's part played by hand: says what it was asked, and can be away. */
export class ScriptedOrchestrator implements Orchestrator {
  away: Error | undefined;
  readonly experiments = new Set<string>();
  readonly evaluations = new Set<string>();
  readonly parities = new Set<string>();
  readonly backtests = new Set<string>();
  readonly batches = new Set<string>();
  readonly orders: LifecycleOrder[] = [];
  readonly slots: { readonly type: 'settle' | 'monitor'; readonly input: SlotInput }[] = [];
  readonly endedModels: string[] = [];
  readonly cancelled: string[] = [];
  readonly alerts: string[] = [];
  readonly #running = new Set<string>();
  state: 'running' | 'ended' | 'unknown' = 'running';

  async ping(): Promise<void> {
    if (this.away) throw this.away;
  }
  async startExperiment(id: string): Promise<boolean> {
    await this.ping();
    if (this.experiments.has(id)) return false;
    this.experiments.add(id);
    return true;
  }
  /** Promotions that were accepted; a refused one is not among them. */
  get promotions(): readonly LifecycleOrder[] {
    return this.orders.filter(({ update }) => update === 'promote' || update === 'rollback');
  }
  async updateLifecycle(order: LifecycleOrder): Promise<OrderAnswer> {
    await this.ping();
    const promotes = order.update === 'promote' || order.update === 'rollback';
    if (promotes && this.#running.has(order.model)) {
      throw new RatchetError('promotion.conflict', `a promotion of ${order.model} is under way`);
    }
    if (promotes) this.#running.add(order.model);
    this.orders.push(order);
    return { outcome: promotes ? undefined : {} };
  }
  ended(model: string): void {
    this.#running.delete(model);
  }
  async signalLifecycle(): Promise<void> {
    await this.ping();
  }
  startSettle(input: SlotInput): Promise<boolean> {
    return this.#startSlot('settle', input);
  }
  startMonitor(input: SlotInput): Promise<boolean> {
    return this.#startSlot('monitor', input);
  }
  async #startSlot(type: 'settle' | 'monitor', input: SlotInput): Promise<boolean> {
    await this.ping();
    const key = `${type}/${input.model}`;
    if (this.#running.has(key)) return false;
    this.#running.add(key);
    this.slots.push({ type, input });
    return true;
  }
  async endLifecycle(model: string): Promise<void> {
    await this.ping();
    this.endedModels.push(model);
  }
  async cancelExperiment(id: string): Promise<boolean> {
    await this.ping();
    this.cancelled.push(id);
    return this.experiments.has(id);
  }
  async startEvaluation(id: string): Promise<boolean> {
    await this.ping();
    const fresh = !this.evaluations.has(id);
    this.evaluations.add(id);
    return fresh;
  }
  async cancelEvaluation(id: string): Promise<boolean> {
    await this.ping();
    this.cancelled.push(id);
    return this.evaluations.has(id);
  }
  async startBacktest(id: string): Promise<boolean> {
    await this.ping();
    const fresh = !this.backtests.has(id);
    this.backtests.add(id);
    return fresh;
  }
  backtestState(): Promise<'running' | 'ended' | 'unknown'> {
    return Promise.resolve(this.state);
  }
  async cancelBacktest(id: string): Promise<boolean> {
    await this.ping();
    this.cancelled.push(id);
    return this.backtests.has(id);
  }
  async startBatchPrediction(id: string): Promise<boolean> {
    await this.ping();
    const fresh = !this.batches.has(id);
    this.batches.add(id);
    return fresh;
  }
  batchPredictionState(): Promise<'running' | 'ended' | 'unknown'> {
    return Promise.resolve(this.state);
  }
  async cancelBatchPrediction(id: string): Promise<boolean> {
    await this.ping();
    this.cancelled.push(id);
    return this.batches.has(id);
  }
  async startParity(_model: string, id: string): Promise<boolean> {
    await this.ping();
    const fresh = !this.parities.has(id);
    this.parities.add(id);
    return fresh;
  }
  parityState(): Promise<'running' | 'ended' | 'unknown'> {
    return Promise.resolve(this.state);
  }
  evaluationState(): Promise<'running' | 'ended' | 'unknown'> {
    return Promise.resolve(this.state);
  }
  async startAlert(id: string): Promise<boolean> {
    await this.ping();
    this.alerts.push(id);
    return true;
  }
  experimentState(): Promise<'running' | 'ended' | 'unknown'> {
    return Promise.resolve(this.state);
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

export interface ApiFixture {
  readonly database: TestDatabase;
  readonly db: Db;
  readonly artifacts: ArtifactStore;
  readonly orchestrator: ScriptedOrchestrator;
  readonly folder: string;
  readonly clock: { now: number };
  /** Opens a replica; `id` names its folder, so the same id again is a restart. */
  open(id: string, options?: OpenOptions): Promise<TestReplica>;
  /** The steps of the workflow `promote`, one after the other. */
  promote(version: number): Promise<SwitchResult>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly db?: Db;
  readonly artifacts?: ArtifactStore;
  readonly notifications?: boolean;
  readonly spoolBytes?: number;
  readonly openModels?: number;
  readonly advice?: ReplicaServices['advice'];
}

export interface TestReplica extends RunningReplica {
  readonly app: App;
  readonly log: ReturnType<typeof memoryLog>;
  /** A request with the admin key (or `key`), JSON in and out. */
  call(
    method: string,
    path: string,
    body?: unknown,
    options?: { readonly key?: string | null; readonly headers?: Record<string, string> },
  ): Promise<{ status: number; body: Body; headers: Headers }>;
}

/** What tests read of an answer. */
export type Body = Record<string, never> & { readonly [key: string]: unknown };

async function addBars(db: Db): Promise<void> {
  const source = seriesSource(DATASETS.get('sp500-daily')!);
  const calendar = calendarFor('nyse');
  const bars = walkBars(800, { instrument: INSTRUMENT, from: '2016-11-01' });
  const key = { dataset: 'sp500-daily', source, instrument: INSTRUMENT, timeframe: '1d' as const };
  const collectionId = await startCollection(db, key, 'primary', NOW);
  const arrival = { collectionId, arrivedAt: NOW, calendar, declaredDelayMs: 0 };
  await appendBars(db, source, bars, arrival);
  const outcome = { status: 'delivered', rows: 800, notes: [] } as const;
  await finishCollection(db, collectionId, { ...outcome, finishedAt: NOW });
}

/** Reserves, packages and registers a version; its number. `change`: of the package's content. */
export async function addPackagedVersion(
  db: Db,
  artifacts: ArtifactStore,
  n: number,
  change?: PackageOptions['change'],
) {
  await addExperiment(db, n);
  const { version } = await reserveVersion(db, reservation(n));
  const built = await makePackage({
    ...{ version, seed: `version-${n}`, monteCarlo: true },
    ...(change ? { change } : {}),
  });
  const manifest = await storePackage(db, artifacts, built.files);
  await registerVersion(db, {
    ...registration(version),
    manifestUri: manifest.uri,
    packageDigest: built.packageDigest,
  });
  return version;
}

/** Two packaged versions of one model, 800 daily bars that end on 2020-01-03, no champion. */
export async function openApiFixture(versions = 2): Promise<ApiFixture> {
  const database = await openTestDatabase();
  const { db } = database;
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-api-'));
  const artifacts = openDirectoryStore(join(folder, 'artifacts'));
  await addModel(db);
  for (let n = 1; n <= versions; n++) await addPackagedVersion(db, artifacts, n);
  await addBars(db);
  const orchestrator = new ScriptedOrchestrator();
  const clock = { now: NOW };
  const opened: TestReplica[] = [];

  const open = async (id: string, options: OpenOptions = {}): Promise<TestReplica> => {
    const log = memoryLog();
    const running = await openReplica(
      {
        replicaId: id,
        folder: join(folder, id),
        trustedKeys: testKeys,
        adminToken: ADMIN,
        notificationsUrl: options.notifications === true ? database.url : undefined,
        address: () => `http://${id}`,
        allowedHosts: () => new Set(['localhost']),
        version: '0.0.0-test',
        ...(options.spoolBytes === undefined ? {} : { spoolBytes: options.spoolBytes }),
        openModels: options.openModels,
      },
      {
        db: options.db ?? db,
        artifacts: options.artifacts ?? artifacts,
        orchestrator,
        datasets: DATASETS,
        log,
        clock: () => clock.now,
        ...(options.advice && { advice: options.advice }),
      },
    );
    const app = createApp(running.parts);
    const replica: TestReplica = { ...running, app, log, call: caller(app) };
    opened.push(replica);
    return replica;
  };

  return {
    ...{ database, db, artifacts, orchestrator, folder, clock, open },
    promote: (version) => promoteByHand(db, version),
    async close() {
      for (const replica of opened) await replica.stop();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function caller(app: App): TestReplica['call'] {
  return async (method, path, body, { key = ADMIN, headers = {} } = {}) => {
    const response = await app.request(`http://localhost${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = /[/+]json/.test(response.headers.get('content-type') ?? '');
    const parsed = (json ? JSON.parse(text) : { text }) as Body;
    return { status: response.status, body: parsed, headers: response.headers };
  };
}

/** What the workflow `promote` does, by the same functions. */
async function promoteByHand(db: Db, version: number): Promise<SwitchResult> {
  const promotionId = ulid();
  const expectedGeneration = await modelGeneration(db, MODEL);
  const intent = { promotionId, model: MODEL, version, actor: 'test', reason: 'test' };
  const announced = await announcePromotion(db, { ...intent, expectedGeneration });
  if (announced.status === 'conflict') return announced;
  for (;;) {
    const readiness = await replicaReadiness(db, promotionId);
    if (readiness.status === 'ready') break;
    if (readiness.status === 'failed') {
      await withdrawPromotion(db, { promotionId, reason: readiness.reason });
      return { status: 'conflict', reason: readiness.reason };
    }
    await pause(20);
  }
  return switchChampion(db, promotionId);
}

/** Waits until `condition` holds; fails with what it waited for. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timed out waiting for: ${what}`);
    await pause(20);
  }
}
