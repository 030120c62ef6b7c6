import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import { startStack } from '../../infra/stack.ts';
import { askDown, askStatus } from '../../infra/stack/control.ts';
import { externalFrom, stackEnvironment } from '../../infra/stack/environment.ts';
import { readStackFile, StackError, writeStackFile } from '../../infra/stack/identity.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { groupLives, readRecords, waitUntil } from '../../infra/stack/processes.ts';
import { programPath, readProvidedParts } from '../../infra/stack/provided.ts';
import { rounds } from '../support/rounds.ts';

const root = join(import.meta.dirname, '../..');
const cli = join(root, 'api/cli/main.ts');
const provided = readProvidedParts();
const lacking = ['postgres', 'temporal', 's3'].filter((name) => !programPath(provided, name));
const skip = lacking.length > 0 && `set-up has not provided ${lacking.join(', ')}`;
/** Generous: it only says when to give up. */
const PATIENCE_MS = 120_000;
const PARTS = ['postgres', 'temporal', 's3'] as const;

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newState(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-stack-'));
  folders.push(folder);
  return join(folder, 'state');
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function ratchet(
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

const upArgs = ['up', '--parts', PARTS.join(',')];
/** Workers, API and mirror too, where they are built (`npm test` builds before it tests). */
const built = existsSync(join(root, 'dist/build.json'));
const allArgs = built ? ['up'] : upArgs;

async function untilReady(state: string): Promise<{ pid: number }> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const status = await askStatus(layoutOf(state));
    if (status?.ready) return status;
    assert.ok(performance.now() < end, 'the stack was not ready in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function query(state: string, text: string): Promise<unknown[]> {
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
async function assertNothingLeft(state: string, records = readRecords(layoutOf(state).run)) {
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

describe('the stack', { skip }, () => {
  test('stands, is private, refuses a second one, ends without a trace', async () => {
    const state = newState();
    const first = ratchet(state, ...upArgs, '--json');
    await untilReady(state);

    const layout = layoutOf(state);
    assert.equal(statSync(state).mode & 0o777, 0o700);
    for (const file of [
      layout.secretsFile,
      join(layout.keys, 'signing.pem'),
      join(layout.keys, 'admin.key'),
    ]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file);
    }
    assert.deepEqual(await query(state, 'SHOW data_checksums'), ['on']);
    assert.deepEqual(await query(state, 'SHOW listen_addresses'), ['127.0.0.1']);

    const second = await ratchet(state, ...upArgs).ended;
    assert.equal(second.code, 4);
    assert.match(second.stderr, /running already \(supervisor pid \d+/);
    assert.match(second.stderr, new RegExp(`pid ${first.pid}`));

    const status = await ratchet(state, 'status', '--json').ended;
    assert.equal(status.code, 0, status.stderr);
    const said = JSON.parse(status.stdout) as { parts: { name: string; state: string }[] };
    assert.deepEqual(said.parts.map((part) => `${part.name} ${part.state}`).sort(), [
      'postgres ready',
      's3 ready',
      'temporal ready',
    ]);
    const doctor = await ratchet(state, 'doctor').ended;
    assert.match(doctor.stdout, /database +answers, checksums on/);
    assert.match(doctor.stdout, /artifacts +s3 answers/);
    assert.match(doctor.stdout, /temporal +namespace default answers/);

    const records = readRecords(layout.run);
    assert.equal(records.length, PARTS.length);
    const down = await ratchet(state, 'down').ended;
    assert.equal(down.code, 0, down.stderr);
    const { code, stdout } = await first.ended;
    assert.equal(code, 0);
    assert.ok((JSON.parse(stdout) as { ready: boolean }).ready);
    await assertNothingLeft(state, records);
    assert.equal(existsSync(join(layout.run, 'postgres.json')), false);

    const again = await ratchet(state, 'down').ended;
    assert.equal(again.code, 0);
    assert.match(again.stdout, /nothing was running/);
    assert.equal((await ratchet(state, 'status').ended).code, 5);
  });

  test('after kill -9 of the supervisor nothing lives on, and up works with all its state', async () => {
    const state = newState();
    const n = rounds(2, 10);
    for (let round = 0; round < n; round += 1) {
      const up = ratchet(state, ...allArgs);
      await untilReady(state);
      if (round === 0) await query(state, 'CREATE TABLE kept (round int)');
      await query(state, `INSERT INTO kept VALUES (${round})`);
      const records = readRecords(layoutOf(state).run);
      up.kill('SIGKILL');
      await up.ended;
      // Every second time `up` comes while the old children are still ending.
      if (round % 2 === 0) await assertNothingLeft(state, records);
    }
    const up = ratchet(state, ...allArgs);
    await untilReady(state);
    const kept = await query(state, 'SELECT round FROM kept ORDER BY round');
    assert.deepEqual(
      kept,
      Array.from({ length: n }, (_, i) => i),
    );
    up.kill('SIGINT');
    assert.equal((await up.ended).code, 0);
    await assertNothingLeft(state);
  });

  test('after kill -9 of everything at once up works with all its state', async () => {
    const state = newState();
    const up = ratchet(state, ...upArgs);
    await untilReady(state);
    await query(state, 'CREATE TABLE kept AS SELECT 42 AS answer');
    up.kill('SIGKILL');
    for (const { pid } of readRecords(layoutOf(state).run)) process.kill(-pid, 'SIGKILL');
    await up.ended;
    // As after a power cut: the lock file of PostgreSQL names a process that is not PostgreSQL.
    const pidFile = join(layoutOf(state).postgres, 'data/postmaster.pid');
    const lines = readFileSync(pidFile, 'utf8').split('\n');
    writeFileSync(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'));

    const stack = await startStack({ stateDir: state, parts: PARTS });
    try {
      assert.deepEqual(await query(state, 'SELECT answer FROM kept'), [42]);
    } finally {
      await stack.stop();
    }
    await assertNothingLeft(state);
  });

  test('a server that dies is started again', async () => {
    const state = newState();
    const stack = await startStack({ stateDir: state, parts: ['s3'] });
    try {
      const before = stack.status().parts[0]!;
      process.kill(-before.pid!, 'SIGKILL');
      const back = await waitUntil(() => {
        const [now] = stack.status().parts;
        return now?.state === 'ready' && now.restarts === 1;
      }, PATIENCE_MS);
      assert.ok(back, JSON.stringify(stack.status()));
      assert.notEqual(stack.status().parts[0]?.pid, before.pid);
    } finally {
      await stack.stop();
    }
    await assertNothingLeft(state);
  });

  test('a port that another program took meanwhile is given up for another one', async () => {
    const state = newState();
    const first = await startStack({ stateDir: state, parts: ['s3'] });
    const { ports } = readStackFile(layoutOf(state))!;
    await first.stop();
    const { createServer } = await import('node:http');
    const stranger = createServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => {
      stranger.listen(ports.s3, '127.0.0.1', resolve);
    });
    try {
      const second = await startStack({ stateDir: state, parts: ['s3'] });
      const moved = readStackFile(layoutOf(state))!.ports;
      await second.stop();
      assert.notEqual(moved.s3, ports.s3);
      assert.equal(moved.postgres, ports.postgres);
    } finally {
      stranger.close();
      stranger.closeAllConnections();
    }
  });

  test('the file of another Temporal version is refused before it is opened', async () => {
    const state = newState();
    await (await startStack({ stateDir: state, parts: ['temporal'] })).stop();
    const layout = layoutOf(state);
    writeStackFile(layout, { ...readStackFile(layout)!, temporal: 'temporal version 9.9' });
    await assert.rejects(startStack({ stateDir: state, parts: ['temporal'] }), (error) => {
      assert.ok(error instanceof StackError);
      assert.equal(error.code, 'stack.temporal-version');
      return true;
    });
    await assertNothingLeft(state);
  });

  test('without an S3 server artifacts lie in a directory, without Temporal the cure is told', async () => {
    const { s3: _, temporal: __, ...less } = provided;
    const state = newState();
    const stack = await startStack({ stateDir: state, parts: ['s3'], provided: less });
    assert.equal(stack.config.s3, undefined);
    assert.deepEqual(stack.status().parts, []);
    await stack.stop();
    const missing = startStack({ stateDir: state, parts: ['temporal'], provided: less });
    await assert.rejects(missing, /temporal is not on this machine. To have it: node infra\/setup/);
  });

  test('a server of the operator takes the place of the embedded one', async () => {
    const [state, other] = [newState(), newState()];
    const theirs = await startStack({ stateDir: other, parts: ['postgres'] });
    const external = externalFrom({ RATCHET_DATABASE_URL: theirs.env['RATCHET_DATABASE_URL'] });
    const stack = await startStack({ stateDir: state, parts: ['postgres'], external });
    assert.deepEqual(stack.status().parts, []);
    assert.equal(stack.config.databaseUrl, theirs.config.databaseUrl);
    await stack.stop();
    await theirs.stop();
  });

  test('a supervisor takes no order from who does not know its secret', async () => {
    const state = newState();
    const stack = await startStack({ stateDir: state, parts: [] });
    const { ports } = readStackFile(layoutOf(state))!;
    const url = `http://127.0.0.1:${ports.control}`;
    for (const authorization of ['', 'Bearer ', 'Bearer wrong']) {
      const response = await fetch(`${url}/down`, { method: 'POST', headers: { authorization } });
      assert.equal(response.status, 401);
    }
    let asked = false;
    void stack.downAsked.then(() => {
      asked = true;
    });
    assert.equal(await askDown(layoutOf(state)), true);
    await stack.downAsked;
    assert.equal(asked, true);
    await stack.stop();
  });
});
