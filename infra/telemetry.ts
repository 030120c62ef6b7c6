/** Logs, metrics and traces, the same in every process. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { pino, type DestinationStream, type Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Config } from './config.ts';

export type { Logger } from 'pino';

/** Ids that every log line of one piece of work carries. */
export interface LogFields {
  readonly requestId?: string;
  readonly workflowId?: string;
  readonly runId?: string;
  readonly activity?: string;
  readonly experimentId?: string;
}

const fields = new AsyncLocalStorage<LogFields>();

/** Runs `work` so that its log lines (awaited parts included) carry `extra`. */
export function withLogFields<T>(extra: LogFields, work: () => T): T {
  return fields.run({ ...fields.getStore(), ...extra }, work);
}

/** Fields that never appear in a log, at any of the first three levels. */
const SECRET_NAMES = [
  'password',
  'secret',
  'secretKey',
  'accessKey',
  'apiKey',
  'token',
  'authorization',
  'cookie',
  'privateKey',
  'databaseUrl',
];
const SECRET_PATHS = SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
const URL_CREDENTIALS = /(:\/\/)[^\s:/@"]+:[^\s/@"]+@/g;

/** Secrets of the configuration, which must not slip into a message either. */
function secretsOf(config: Config): readonly string[] {
  const password = config.databaseUrl && URL.canParse(config.databaseUrl);
  const values = [
    config.s3?.secretKey,
    config.s3?.accessKey,
    config.remote.apiKey,
    password ? decodeURIComponent(new URL(config.databaseUrl).password) : undefined,
  ];
  // Shorter values would blank out words of ordinary messages.
  return values.filter((value): value is string => value !== undefined && value.length >= 8);
}

/**
 * A structured logger (one JSON object a line): `time`, `level`, `process`, `msg`, the ids of
 * `withLogFields`, and the caller's fields. Secrets are blanked by name and by value.
 */
export function createLogger(
  name: string,
  config: Config,
  destination: DestinationStream = pino.destination({ dest: 1, sync: true }),
): Logger {
  const secrets = secretsOf(config);
  return pino(
    {
      level: config.logLevel,
      base: { process: name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: SECRET_PATHS, censor: '***' },
      mixin: () => fields.getStore() ?? {},
      hooks: {
        streamWrite: (line) => {
          const clean = line.replace(URL_CREDENTIALS, '$1***@');
          return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), clean);
        },
      },
    },
    destination,
  );
}

export interface Telemetry {
  readonly log: Logger;
  /** Register the process' own series here. */
  readonly registry: Registry;
  /** Where /metrics is listened to; undefined where it was not wanted. */
  readonly metricsPort: number | undefined;
  /** For a Temporal client: spans of starts and signals; empty when tracing is off. */
  readonly clientInterceptors: readonly WorkflowClientInterceptor[];
  /** For a worker: spans of activities; empty when tracing is off. */
  readonly activityInterceptors: readonly ActivityInterceptorsFactory[];
  /** Flushes spans and closes the listener. */
  shutdown(): Promise<void>;
}

/**
 * Starts what a process needs to be observed.
 * @param options.listen serve /metrics on a loopback port of its own (the API has a route instead).
 */
export async function startTelemetry(
  name: string,
  config: Config,
  options: { readonly listen?: boolean } = {},
): Promise<Telemetry> {
  const log = createLogger(name, config);
  const registry = new Registry();
  registry.setDefaultLabels({ process: name });
  collectDefaultMetrics({ register: registry });
  const metrics = options.listen === false ? undefined : await listen(registry, config.metricsPort);
  const tracing = config.otlpEndpoint === undefined ? undefined : await startTracing(name, config);
  return {
    log,
    registry,
    metricsPort: metrics?.port,
    clientInterceptors: tracing?.clientInterceptors ?? [],
    activityInterceptors: tracing?.activityInterceptors ?? [],
    shutdown: async () => {
      await Promise.all([metrics?.close(), tracing?.shutdown()]);
    },
  };
}

async function listen(
  registry: Registry,
  port: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  // Being observed must not keep a process alive that has ended its work.
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** OpenTelemetry over OTLP/HTTP; loaded only when an endpoint is configured. */
async function startTracing(
  name: string,
  config: Config,
): Promise<Pick<Telemetry, 'clientInterceptors' | 'activityInterceptors' | 'shutdown'>> {
  const [sdk, exporter, resources, temporal, client] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@temporalio/interceptors-opentelemetry/lib/worker/index.js'),
    import('@temporalio/interceptors-opentelemetry/lib/client/index.js'),
  ]);
  const url = `${config.otlpEndpoint!.replace(/\/+$/, '')}/v1/traces`;
  const provider = new sdk.NodeTracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': `ratchet-${name}` }),
    spanProcessors: [new sdk.BatchSpanProcessor(new exporter.OTLPTraceExporter({ url }))],
  });
  provider.register();
  return {
    clientInterceptors: [new client.OpenTelemetryWorkflowClientInterceptor()],
    activityInterceptors: [
      (ctx) => ({ inbound: new temporal.OpenTelemetryActivityInboundInterceptor(ctx) }),
    ],
    shutdown: () => provider.shutdown(),
  };
}
