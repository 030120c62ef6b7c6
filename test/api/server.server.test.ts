import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CLOSE } from '../../api/event-socket.ts';
import { generateSigningKeys } from '../../core/packages/signature.ts';
import { newKeyToken } from '../../registry/keys.ts';
import { liveReplicas } from '../../registry/replicas.ts';
import { eventually } from '../support/api-fixture.ts';
import { readerOf } from '../support/event-socket.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addExperiment } from '../support/registry-facts.ts';
import { freePort } from '../support/server-process.ts';

describe('the API process', () => {
  let database: TestDatabase;
  let folder: string;
  let port: number;
  let child: ChildProcess;
  const key = newKeyToken();
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers });

  const start = (): ChildProcess =>
    spawn(process.execPath, ['--import', 'tsx', 'api/server.ts'], {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: {
        ...process.env,
        RATCHET_STATE: folder,
        RATCHET_LOG_LEVEL: 'silent',
        RATCHET_DATABASE_URL: database.url,
        RATCHET_TEMPORAL_ADDRESS: '127.0.0.1:1',
        RATCHET_API_PORT: String(port),
        RATCHET_REPLICA: 'first',
        RATCHET_VERIFY_KEY_FILE: join(folder, 'verify.pem'),
        RATCHET_ADMIN_KEY_FILE: join(folder, 'admin.key'),
      },
    });
  const answering = (): Promise<boolean> =>
    get('/livez').then(
      (response) => response.ok,
      () => false,
    );

  before(async () => {
    database = await openTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'ratchet-server-'));
    await writeFile(join(folder, 'verify.pem'), generateSigningKeys().publicPem);
    await writeFile(join(folder, 'admin.key'), `${key}\n`);
    port = await freePort();
    child = start();
    await eventually('the API answers', answering, 60_000);
  });
  after(async () => {
    child.kill('SIGKILL');
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('serves with the key of its file, holds a lease, and shows metrics', async () => {
    assert.equal((await get('/api/v1/ml-models')).status, 401);
    const authorization = `Bearer ${key}`;
    const models = await get('/api/v1/ml-models', { authorization });
    assert.deepEqual(await models.json(), { items: [], nextCursor: null });
    assert.equal((await get('/readyz')).status, 200);
    const [replica] = await liveReplicas(database.db);
    assert.equal(replica?.address, `http://127.0.0.1:${port}`);
    const metrics = await (await get('/metrics')).text();
    assert.match(metrics, /ratchet_http_request_seconds_count/);
    assert.match(metrics, /process_resident_memory_bytes/);
    const run = await fetch(`http://127.0.0.1:${port}/api/v1/ml-models/x/promote`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: '{"version":1}',
    });
    assert.equal(run.status, 404);
  });

  it('limits wrong keys by the address of the connection, whatever headers say', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) {
      const headers = {
        authorization: `Bearer ${newKeyToken()}`,
        'x-forwarded-for': `10.0.0.${n}`,
      };
      statuses.push((await get('/api/v1/keys', headers)).status);
    }
    assert.deepEqual([statuses.at(0), statuses.at(-1)], [401, 429]);
  });

  it('refuses requests that two readers could read in two ways', async () => {
    const raw = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        let answer = '';
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
        socket.on('close', () => resolve(answer));
        socket.on('error', reject);
      });
    const smuggled =
      'POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    assert.match(await raw(smuggled), /^HTTP\/1\.1 400/);
    // Not more than is read at once: what is left unread when a server closes resets the connection.
    const huge = `GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`;
    assert.match(await raw(huge), /^HTTP\/1\.1 431/);
    const foreign = 'GET /livez HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n';
    assert.match(await raw(foreign), /^HTTP\/1\.1 403/);
  });

  it('keeps its state under its name, so that another port finds what waits in its spool', async () => {
    const kept = await readdir(join(folder, 'replicas'));
    assert.deepEqual(kept, ['first']);
    assert.ok((await readdir(join(folder, 'replicas', 'first'))).includes('spool'));
  });

  it('drains: streams end in order, and no request of a kept connection is dropped', async () => {
    const authorization = `Bearer ${key}`;
    const id = await addExperiment(database.db, 1);
    const headers = { authorization, accept: 'text/event-stream' };
    const stream = await get(`/api/v1/experiments/${id}/events`, headers);
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    const socket = readerOf(`ws://127.0.0.1:${port}/api/v1/experiments/${id}/events`, { headers });
    await once(socket.socket, 'open');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        const path = '/api/v1/ml-models';
        const sent = request({ port, path, agent, headers: { authorization } }, (response) => {
          response.resume().on('end', () => resolve(String(response.statusCode)));
        });
        sent.on('error', ({ code, message }: NodeJS.ErrnoException) => {
          // A connection that nobody had taken yet is reset by the system: refused as well.
          const isNew = !sent.reusedSocket && code === 'ECONNRESET';
          resolve(isNew ? 'ECONNREFUSED' : (code ?? message));
        });
        sent.end();
      });
    assert.equal(await ask(), '200');
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    let said = '200';
    while (said === '200') said = await ask();
    assert.equal(said, 'ECONNREFUSED');
    // A connection that was cut would be an error here.
    await stream.text();
    assert.deepEqual(await socket.closed, [CLOSE.stopping, 'stopping']);
    assert.deepEqual((await exit)[0], 0);
    agent.destroy();
    child = start();
    await eventually('the API answers again', answering, 60_000);
  });

  it('gives its lease back and ends at SIGTERM, and ends when its parent does', async () => {
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
    assert.deepEqual(await liveReplicas(database.db), []);
    child = start();
    await eventually('the API answers again', answering, 60_000);
    child.stdin!.end();
    await once(child, 'exit');
  });
});

it('never loads training or analytical libraries into the API process', async () => {
  const code = `
    await import('./api/app.ts');
    await import('./api/open-parts.ts');
    process.stdout.write(JSON.stringify(process.report.getReport().sharedObjects));
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [exit] = (await once(child, 'exit')) as [number];
  assert.equal(exit, 0);
  const loaded = (JSON.parse(text) as string[]).filter((path) => path.includes('node_modules'));
  assert.ok(
    loaded.some((path) => path.includes('onnxruntime')),
    'the check sees native libraries',
  );
  for (const path of loaded) assert.doesNotMatch(path, /tfjs|tensorflow|duckdb|koffi|ccxt|resvg/);
});
