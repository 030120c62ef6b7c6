/** The API process: `node dist/api/server.js`. Its settings come from infra/config.ts alone. */
import { createServer, type Server } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Log } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import { trustedKeysFrom } from '../core/packages/signature.ts';
import { loadAdvice } from '../infra/advice.ts';
import { artifactStoreOf } from '../infra/artifact-store.ts';
import { codeVersion } from '../infra/code-version.ts';
import { readConfig, type Config } from '../infra/config.ts';
import { loadDatasets } from '../infra/datasets.ts';
import { endWithParent } from '../infra/end-with-parent.ts';
import { readPackageKeys } from '../infra/package-keys.ts';
import { startTelemetry } from '../infra/telemetry.ts';
import { openDatabase } from '../registry/db.ts';
import { guardedExchange } from '../workers/guarded-exchange.ts';
import { createApp } from './app.ts';
import { listenerOf } from './listener.ts';
import { openReplica, readKeyFile, type RunningReplica } from './open-parts.ts';
import { openOrchestrator } from './orchestrator.ts';
import type { ApiParts } from './parts.ts';
import { takeUpgrades } from './upgrade.ts';

/** Connections of the API; the predict path uses none. */
const DATABASE_CONNECTIONS = 10;
/** The API must not wait long for a database that is away. */
const CONNECT_MS = 2_000;
const STATEMENT_MS = 10_000;
/** Slow senders are dropped: header within 10 s, a whole request within 60 s (an upload of 64 MB). */
const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
const IDLE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 2_000;
/**
 * At a stop each answer of this time is the last of its connection, before the rest are closed: a kept
 * connection that is closed unasked drops the request that was just being sent on it.
 */
const LAST_ANSWERS_MS = 500;
/** Requests under way at a stop get this long. */
const DRAIN_MS = 10_000;
/** From the last connection that is taken to its request. */
const ON_THE_WAY_MS = 100;

const required = (value: string | undefined, name: string): string => {
  if (value !== undefined) return value;
  throw new RatchetError('config.missing', `${name} is not set; \`ratchet up\` sets it`);
};

/** Names a browser or a program on this machine may call us by. */
function allowedHosts(config: Config): ReadonlySet<string> {
  const { host } = config.api;
  return new Set(['127.0.0.1', 'localhost', '::1', host.toLowerCase()]);
}

/** Listening beyond this machine is a decision of the operator's proxy, not of a default. */
function checkHostIsLocal(config: Config): void {
  if (['127.0.0.1', 'localhost', '::1'].includes(config.api.host)) return;
  if (config.keyFiles.admin !== undefined) return;
  throw new RatchetError(
    'config.open',
    `refusing to listen on ${config.api.host} without an admin key (RATCHET_ADMIN_KEY_FILE)`,
  );
}

interface Opened {
  readonly running: RunningReplica;
  readonly log: Log;
  /** Known once the server listens. */
  address: string;
  close(): Promise<void>;
}

async function open(config: Config, stopping: AbortSignal): Promise<Opened> {
  const telemetry = await startTelemetry('api', config, { listen: false });
  const { log } = telemetry;
  const url = required(config.databaseUrl, 'RATCHET_DATABASE_URL');
  const db = openDatabase(url, {
    max: DATABASE_CONNECTIONS,
    log,
    applicationName: 'ratchet-api',
    connectTimeoutMs: CONNECT_MS,
    statementTimeoutMs: STATEMENT_MS,
  });
  // A connection takes some time to make: it is there once the packages of this replica are open.
  sql`select 1`.execute(db).catch(() => undefined);
  const orchestrator = openOrchestrator(config.temporal);
  const { admin, verify } = config.keyFiles;
  const packageKeys = readPackageKeys(config);
  const verifyFile = required(verify, 'RATCHET_VERIFY_KEY_FILE');
  const hosts = allowedHosts(config);
  const running = await openReplica(
    {
      // Two machines may use one port: the name says both, the folder is this machine's own.
      replicaId: `${hostname()}-${config.api.port}`,
      folder: join(config.stateDir, 'replicas', config.api.replica ?? `api-${config.api.port}`),
      trustedKeys: trustedKeysFrom(await readKeyFile(verifyFile)),
      adminToken: admin === undefined ? undefined : await readKeyFile(admin),
      notificationsUrl: url,
      address: () => opened.address,
      allowedHosts: () => hosts,
      version: codeVersion(),
      packageKeys,
      openModels: config.openModels,
      rememberedAnswers: config.rememberedAnswers,
      stopping,
    },
    {
      ...{ db, orchestrator, log },
      artifacts: artifactStoreOf(config),
      datasets: await loadDatasets(config),
      clock: () => Date.now(),
      registry: telemetry.registry,
      advice: { settings: loadAdvice(), exchange: (request) => guardedExchange(request) },
    },
  );
  const close = async (): Promise<void> => {
    await running.stop();
    await Promise.allSettled([db.destroy(), orchestrator.close(), telemetry.shutdown()]);
  };
  return Object.assign(opened, { running, log, close });
}

const opened = { address: '' };

function createHttpServer(parts: ApiParts, stopping: AbortSignal): Server {
  const { log } = parts;
  const app = createApp(parts);
  const answer = listenerOf(parts, app);
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: 2_000,
    },
    (request, response) => {
      // While it drains each answer is the last of its connection: the next request goes elsewhere.
      if (stopping.aborted) response.setHeader('connection', 'close');
      answer(request, response);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  takeUpgrades(server, app, log);
  return server;
}

async function listen(server: Server, config: Config): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.api.port, config.api.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return `http://${config.api.host}:${port}`;
}

/** No new connections; requests under way end, at the latest when their time is up. */
async function drain(server: Server): Promise<void> {
  // The HTTP server's own `close` cuts connections at once whose first request is on its way.
  const closed = new Promise<void>((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
  await Promise.race([closed, pause(ON_THE_WAY_MS)]);
  server.closeIdleConnections();
  const limit = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(limit);
}

async function main(): Promise<void> {
  const config = readConfig();
  checkHostIsLocal(config);
  const draining = new AbortController();
  const api = await open(config, draining.signal);
  const server = createHttpServer(api.running.parts, draining.signal);
  let stopping: Promise<void> | undefined;
  const stop = (hurried: boolean): Promise<void> => {
    stopping ??= (async () => {
      api.log.info({}, 'the API drains');
      draining.abort();
      if (!hurried) await pause(LAST_ANSWERS_MS);
      await drain(server);
      await api.close();
    })();
    return stopping;
  };
  const end = (): void => {
    stop(false).then(
      () => process.exit(0),
      (error: unknown) => {
        api.log.error({ err: error }, 'the API did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end).once('SIGINT', end);
  // Then there is less than a second for all of it.
  endWithParent(() => stop(true));
  // Last: who is answered may ask it to end.
  api.address = await listen(server, config);
  if (draining.signal.aborted) return;
  await api.running.replica.renew();
  api.log.info({ address: api.address }, 'the API listens');
}

await main();
