/** The API process: `node dist/api/server.js`. Its settings come from infra/config.ts alone. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { RatchetError } from '../core/errors.ts';
import { trustedKeysFrom } from '../core/packages/signature.ts';
import { codeVersion } from '../infra/code-version.ts';
import { readConfig, type Config } from '../infra/config.ts';
import { loadDatasets } from '../infra/datasets.ts';
import { endWithParent } from '../infra/end-with-parent.ts';
import { startTelemetry } from '../infra/telemetry.ts';
import { openArtifactStore } from '../registry/artifacts.ts';
import { openDatabase } from '../registry/db.ts';
import { createApp } from './app.ts';
import { openReplica, readKeyFile } from './open-parts.ts';
import { openOrchestrator } from './orchestrator.ts';

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
/** Requests under way at a stop get this long. */
const DRAIN_MS = 10_000;

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

async function main(): Promise<void> {
  const config = readConfig();
  checkHostIsLocal(config);
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
  const orchestrator = openOrchestrator(config.temporal);
  let address = '';
  // Two machines may use one port: the name says both, the folder is this machine's own.
  const replicaId = `${hostname()}-${config.api.port}`;
  const running = await openReplica(
    {
      replicaId,
      folder: join(config.stateDir, 'replicas', `api-${config.api.port}`),
      trustedKeys: trustedKeysFrom(
        await readKeyFile(required(config.keyFiles.verify, 'RATCHET_VERIFY_KEY_FILE')),
      ),
      adminToken: config.keyFiles.admin ? await readKeyFile(config.keyFiles.admin) : undefined,
      notificationsUrl: url,
      address: () => address,
      allowedHosts: () => allowedHosts(config),
      version: codeVersion(),
    },
    {
      db,
      artifacts: openArtifactStore(config),
      orchestrator,
      datasets: await loadDatasets(config),
      log,
      clock: () => Date.now(),
      registry: telemetry.registry,
    },
  );
  const app = createApp(running.parts);
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: 2_000,
    },
    getRequestListener(app.fetch),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.api.port, config.api.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  address = `http://${config.api.host}:${port}`;
  log.info({ address }, 'the API listens');

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      log.info({}, 'the API drains');
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const limit = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearTimeout(limit);
      await running.stop();
      await Promise.allSettled([db.destroy(), orchestrator.close(), telemetry.shutdown()]);
    })();
    return stopping;
  };
  const end = (): void => {
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the API did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end).once('SIGINT', end);
  endWithParent(() => void end());
}

await main();
