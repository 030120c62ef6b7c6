/** The other servers that are not ours: Temporal, S3, MLflow. */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Client } from 'minio';
import type { ChildSpec } from './child.ts';
import { StackError, type Secrets, type StackFile } from './identity.ts';
import type { Layout } from './layout.ts';
import { dieWithParent, plainEnvironment } from './programs.ts';
import type { Ports } from './ports.ts';

export const BUCKET = 'ratchet';
const PROBE_MS = 2_000;

/** Is something listening there? */
export function probePort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: PROBE_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error(`port ${port} does not answer`)));
    socket.once('error', reject);
  });
}

/** GET that must answer 2xx. */
export async function probeHttp(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}

interface Words {
  readonly command: string;
  readonly args: readonly string[];
}

function words(program: string, args: readonly string[]): Words {
  const all = [...dieWithParent(), program, ...args];
  return { command: all[0]!, args: all.slice(1) };
}

/** The dev server never migrates its SQLite file, so a file of another version is refused. */
export function checkTemporalVersion(stack: StackFile | undefined, version: string): void {
  if (stack?.temporal === undefined || stack.temporal === version) return;
  throw new StackError(
    'stack.temporal-version',
    `the state was made by ${stack.temporal}, this is ${version}: its file cannot be read safely. ` +
      'Provide that version (node infra/setup.mjs), or move temporal/ out of the state folder: ' +
      'running work is lost, nothing that PostgreSQL holds is',
    { details: { made: stack.temporal, found: version } },
  );
}

export function temporalSpec(program: string, layout: Layout, ports: Ports): ChildSpec {
  const file = join(layout.temporal, 'temporal.db');
  const args = [
    ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(ports.temporal)],
    ['--ui-ip', '127.0.0.1', '--ui-port', String(ports.temporalUi), '--db-filename', file],
    // A crash of the machine must not cost acknowledged events: every commit reaches the disk.
    ['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=2'],
    // One server gains nothing by the four parts that a queue has by itself: a task waits in one while a free worker asks
    // another, for up to a second, and later ones overtake it. Read are all four: an older file may hold tasks in each.
    ['--dynamic-config-value', 'matching.numTaskqueueWritePartitions=1'],
    ['--log-level', 'warn', '--log-format', 'json', '--disable-config-file'],
  ].flat();
  return {
    name: 'temporal',
    title: 'Temporal',
    ...words(program, args),
    env: plainEnvironment(),
    cwd: layout.temporal,
    guarded: true,
    stopSignal: 'SIGTERM',
    stopMs: 8_000,
    probe: () => Promise.all([probePort(ports.temporal), probePort(ports.temporalUi)]),
    readyMs: 60_000,
    port: ports.temporal,
    url: `http://127.0.0.1:${ports.temporalUi}`,
  };
}

export function s3Client(ports: Ports, secrets: Secrets): Client {
  return new Client({
    endPoint: '127.0.0.1',
    port: ports.s3,
    useSSL: false,
    accessKey: secrets.s3Access,
    secretKey: secrets.s3Secret,
    region: 'us-east-1',
  });
}

export function s3Spec(program: string, layout: Layout, secrets: Secrets, ports: Ports): ChildSpec {
  const data = join(layout.s3, 'data');
  const attributes = join(layout.s3, 'attributes');
  for (const folder of [data, attributes]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const modes = ['--dir-perms', '0700', '--file-perms', '0600'];
  // A folder of its own for metadata: not every file system keeps extended attributes.
  const store = ['posix', '--sidecar', attributes, ...modes, data];
  const args = ['--port', `127.0.0.1:${ports.s3}`, '--region', 'us-east-1', '--quiet', ...store];
  const client = s3Client(ports, secrets);
  return {
    name: 's3',
    title: 'S3 (versitygw)',
    ...words(program, args),
    env: plainEnvironment({
      ROOT_ACCESS_KEY: secrets.s3Access,
      ROOT_SECRET_KEY: secrets.s3Secret,
    }),
    cwd: layout.s3,
    guarded: true,
    stopSignal: 'SIGTERM',
    stopMs: 8_000,
    probe: async () => {
      if (!(await client.bucketExists(BUCKET))) await client.makeBucket(BUCKET);
    },
    readyMs: 60_000,
    port: ports.s3,
    url: `http://127.0.0.1:${ports.s3}`,
  };
}

export function mlflowSpec(program: string, layout: Layout, ports: Ports): ChildSpec {
  const host = `127.0.0.1:${ports.mlflow}`;
  const args = [
    ['server', '--host', '127.0.0.1', '--port', String(ports.mlflow), '--workers', '1'],
    ['--backend-store-uri', `sqlite:///${join(layout.mlflow, 'mlflow.db')}`],
    ['--artifacts-destination', join(layout.mlflow, 'artifacts')],
    // Its default lets every private address through.
    ['--allowed-hosts', `${host},localhost:${ports.mlflow}`],
  ].flat();
  return {
    name: 'mlflow',
    title: 'MLflow',
    ...words(program, args),
    env: plainEnvironment({
      MLFLOW_ALLOW_PICKLE_DESERIALIZATION: 'false',
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_DISABLE_TELEMETRY: 'true',
      DO_NOT_TRACK: 'true',
      PYTHONUNBUFFERED: '1',
    }),
    cwd: layout.mlflow,
    guarded: true,
    stopSignal: 'SIGTERM',
    stopMs: 8_000,
    probe: () => probeHttp(`http://${host}/health`),
    readyMs: 180_000,
    port: ports.mlflow,
    url: `http://${host}`,
  };
}
