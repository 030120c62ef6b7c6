/** The `ratchet` command on a state folder of the test's own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { askStatus } from '../../infra/stack/control.ts';
import { stackEnvironment } from '../../infra/stack/environment.ts';
import { readStackFile } from '../../infra/stack/identity.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { groupLives, readRecords, waitUntil } from '../../infra/stack/processes.ts';
import { programPath, readProvidedParts } from '../../infra/stack/provided.ts';

const root = join(import.meta.dirname, '../..');
const cli = join(root, 'api/cli/main.ts');
export const provided = readProvidedParts();
const lacking = ['postgres', 'temporal', 's3'].filter((name) => !programPath(provided, name));
export const skipStack: string | false =
  lacking.length > 0 && `set-up has not provided ${lacking.join(', ')}`;
/** Generous: it only says when to give up. */
export const PATIENCE_MS = 120_000;
export const PARTS = ['postgres', 'temporal', 's3'] as const;

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function newState(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-stack-'));
  folders.push(folder);
  return join(folder, 'state');
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function ratchet(
  state: string,
  ...args: readonly string[]
): ChildProcess & { ended: Promise<Ended> } {
  const child = spawn(process.execPath, ['--import', 'tsx', cli, ...args], {
    cwd: root,
    env: { ...process.env, RATCHET_STATE: state },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return Object.assign(child, { ended });
}

export const upArgs = ['up', '--parts', PARTS.join(',')];
/** Workers, API and mirror too, where they are built (`npm test` builds before it tests). */
const built = existsSync(join(root, 'dist/build.json'));
export const allArgs = built ? ['up'] : upArgs;

export async function untilReady(state: string): Promise<{ pid: number }> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const status = await askStatus(layoutOf(state));
    if (status?.ready) return status;
    assert.ok(performance.now() < end, 'the stack was not ready in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function query(state: string, text: string): Promise<unknown[]> {
  const url = stackEnvironment(layoutOf(state), new Set(['postgres']))['RATCHET_DATABASE_URL'];
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Nothing of the recorded children lives, and no recorded port is listened to. */
export async function assertNothingLeft(state: string, records = readRecords(layoutOf(state).run)) {
  const gone = await waitUntil(() => !records.some(groupLives), PATIENCE_MS);
  assert.ok(
    gone,
    `still alive: ${records
      .filter(groupLives)
      .map((r) => r.name)
      .join(', ')}`,
  );
  const ports = Object.entries(readStackFile(layoutOf(state))?.ports ?? {});
  const open = await Promise.all(ports.map(([, port]) => accepts(port)));
  assert.deepEqual(
    ports.filter((_, i) => open[i]).map(([name]) => name),
    [],
  );
}
