/** Our own processes: workers and API, run from dist/. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { adviceEnvironment, endpointEnvironment } from '../advice.ts';
import { projectRoot } from '../project.ts';
import { webhookEnvironment } from '../webhooks.ts';
import type { ChildSpec } from './child.ts';
import { StackError, type KeyFiles } from './identity.ts';
import { plainEnvironment } from './programs.ts';
import type { Ports } from './ports.ts';
import { probeHttp } from './servers.ts';

/** Time for what is in flight to end in order; a training child saves and goes within it. */
const DRAIN_MS = 15_000;

/** Variables of the operator that our processes are given as they are. */
const PASSED_ON = [
  'RATCHET_DATA',
  'RATCHET_LOG_LEVEL',
  'RATCHET_OPEN_MODELS',
  'RATCHET_REMEMBERED_ANSWERS',
  'RATCHET_TRAINING_SLOTS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'TF_FORCE_GPU_ALLOW_GROWTH',
  'CUDA_VISIBLE_DEVICES',
];

function passedOn(): Record<string, string> {
  const found = PASSED_ON.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

/** Refuses before anything is started where dist/ lacks what will be run, or a secret is missing. */
export function checkBuilt(parts: ReadonlySet<string>): void {
  if (parts.has('workers')) {
    entry('workers/run.js');
    webhookEnvironment();
    endpointEnvironment();
  }
  if (parts.has('api')) {
    entry('api/server.js');
    adviceEnvironment();
  }
}

function entry(file: string): string {
  const path = join(projectRoot, 'dist', file);
  if (existsSync(path)) return path;
  throw new StackError('stack.not-built', `dist/${file} is not built: run npm run build`);
}

/**
 * Node's flags of an API process. A small young generation: what a request leaves dies at once, so a larger one only takes
 * memory, some 20 MB.
 */
export const API_FLAGS = ['--enable-source-maps', '--max-semi-space-size=4'] as const;

/**
 * Node's flags of a process of workers. The one that trains collects on its own thread: it only carries bytes, and helpers
 * that wait for one another take from the cores on which its children compute.
 */
export const workerFlags = (queues: readonly string[]): readonly string[] => [
  '--enable-source-maps',
  ...(queues.join() === 'training' ? ['--single-threaded-gc'] : []),
];

function ownSpec(
  name: string,
  title: string,
  args: readonly string[],
  env: Record<string, string>,
): Omit<ChildSpec, 'probe'> {
  return {
    name,
    title,
    command: process.execPath,
    args,
    env: { ...plainEnvironment(passedOn()), NODE_ENV: 'production', ...env },
    // Where `ratchet up` was called: ratchet.config.yaml is looked for there first.
    cwd: process.cwd(),
    guarded: false,
    stopSignal: 'SIGTERM',
    stopMs: DRAIN_MS,
    readyMs: 60_000,
  };
}

/**
 * Workers: one process for workflows and general activities, one for training, so that a fit never
 * delays a heartbeat of the others. Only they hold the signing key, only the first the secrets of webhooks and the keys of
 * the endpoints that backtests ask.
 */
export function workerSpecs(
  base: Record<string, string>,
  keys: KeyFiles,
  ports: Ports,
  secretsOfFirst: Record<string, string> = { ...webhookEnvironment(), ...endpointEnvironment() },
): readonly ChildSpec[] {
  const run = entry('workers/run.js');
  const groups = [
    {
      name: 'worker',
      queues: ['orchestration', 'general'],
      port: ports.generalMetrics,
      secrets: secretsOfFirst,
    },
    { name: 'training', queues: ['training'], port: ports.trainingMetrics, secrets: {} },
  ];
  return groups.map(({ name, queues, port, secrets }) => {
    const env = {
      ...base,
      ...secrets,
      RATCHET_METRICS_PORT: String(port),
      RATCHET_SIGNING_KEY_FILE: keys.signing,
      RATCHET_VERIFY_KEY_FILE: keys.verify,
    };
    const url = `http://127.0.0.1:${port}/metrics`;
    const title = `worker (${queues.join(', ')})`;
    return {
      ...ownSpec(name, title, [...workerFlags(queues), run, ...queues], env),
      probe: () => probeHttp(url),
      port,
      url,
    };
  });
}

/** Of the keys of the endpoints that advise on positions it holds all, that of the account among them. */
export function apiSpec(
  base: Record<string, string>,
  keys: KeyFiles,
  ports: Ports,
  adviceSecrets: Record<string, string> = adviceEnvironment(),
): ChildSpec {
  const url = `http://127.0.0.1:${ports.api}`;
  const env = {
    ...base,
    ...adviceSecrets,
    RATCHET_API_HOST: '127.0.0.1',
    RATCHET_API_PORT: String(ports.api),
    // Not by its port, which may move: predictions that wait in its spool would be left behind.
    RATCHET_REPLICA: 'api',
    RATCHET_VERIFY_KEY_FILE: keys.verify,
    RATCHET_ADMIN_KEY_FILE: keys.admin,
  };
  return {
    ...ownSpec('api', 'API', [...API_FLAGS, entry('api/server.js')], env),
    probe: () => probeHttp(`${url}/livez`),
    port: ports.api,
    url,
  };
}
