import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { answers, answersLater, type Row } from '../../examples/backtest-client.ts';
import { projectRoot } from '../../infra/project.ts';
import {
  ADMIN,
  eventually,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { batchByHand } from '../support/batch-by-hand.ts';
import { MODEL } from '../support/registry-facts.ts';

let fixture: ApiFixture;
let api: TestReplica;
let server: Server;
let url: string;
before(async () => {
  fixture = await openApiFixture(1);
  api = await fixture.open('clients');
  await fixture.promote(1);
  const predict = () => api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {});
  await eventually('the champion answers', async () => (await predict()).status === 200);
  server = createServer((req, res) => void getRequestListener(api.app.fetch)(req, res));
  url = await listen(server);
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await fixture.close();
});

async function listen(on: Server): Promise<string> {
  await new Promise<void>((resolve) => on.listen(0, 'localhost', resolve));
  return `http://localhost:${(on.address() as AddressInfo).port}`;
}

/** A way to the API that is cut after some bytes of each of the first `cuts` answers. */
async function cutWay(cuts: number, afterBytes: (cut: number) => number) {
  let made = 0;
  const way = createServer((incoming, outgoing) => {
    const { port } = new URL(url);
    const { method, url: path, headers } = incoming;
    const upstream = request({ host: 'localhost', port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      if (made >= cuts) return void answer.pipe(outgoing);
      let left = afterBytes(made++);
      answer.on('data', (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, Math.max(0, left)));
        left -= chunk.length;
        // In the middle of a row, as it falls.
        if (left <= 0) setTimeout(() => incoming.socket.destroy(), 20);
      });
      answer.on('end', () => left > 0 && outgoing.end());
      return undefined;
    });
    incoming.pipe(upstream);
  });
  return { url: await listen(way), made: () => made, close: () => way.close() };
}

const RANGE = { from: '2018-06-01', to: '2019-12-31' };

async function whole(): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of answers({ url, key: ADMIN }, MODEL, RANGE)) rows.push(row);
  assert.ok(rows.length > 390);
  return rows;
}

test('in TypeScript: every row once, however often the way is cut', async () => {
  const way = await cutWay(5, (cut) => 30_000 + 7_919 * cut);
  const rows: Row[] = [];
  for await (const row of answers({ url: way.url, key: ADMIN }, MODEL, RANGE)) rows.push(row);
  way.close();
  assert.equal(way.made(), 5);
  assert.deepEqual(rows, await whole());
});

test('in TypeScript: a question that is wrong is said at once', async () => {
  const bad = answers({ url, key: ADMIN }, MODEL, { ...RANGE, version: 9 });
  await assert.rejects(bad.next(), /no version 9/);
});

/** A range that no buffer on the way holds: a session of each day since 1890. */
const LONG = { from: '1890-01-01', to: '2019-12-31' };

function openRange(signal: AbortSignal): Promise<Response> {
  return fetch(`${url}/api/v1/ml-models/${MODEL}/batch-predict`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ range: LONG }),
    signal,
  });
}

test('whoever hangs up frees a place; a client that finds none waits for one', async () => {
  for (let i = 0; i < 9; i++) {
    const leave = new AbortController();
    await eventually('a place is free', async () => (await openRange(leave.signal)).ok);
    leave.abort();
  }
  const leave = new AbortController();
  const unread: Response[] = [];
  // As many as a key may have open, and nobody reads them.
  while (unread.length < 9 && unread.at(-1)?.ok !== false) {
    unread.push(await openRange(leave.signal));
  }
  assert.equal(unread.at(-1)!.status, 429);
  const rows = answers({ url, key: ADMIN }, MODEL, RANGE);
  const first = rows.next();
  // Time to be refused once.
  await pause(400);
  leave.abort();
  const { value } = await first;
  assert.equal(value?.instrument, '^GSPC');
  await rows.return(undefined);
});

/** Plays the workflow of what is handed in. */
function computeWhatIsHandedIn(work = (id: string) => batchByHand(fixture, id)): void {
  const { orchestrator } = fixture;
  orchestrator.startBatchPrediction = async (id) => {
    setTimeout(() => void work(id), 50);
    return true;
  };
}

test('in TypeScript: a range as a workflow has the same rows, however often the way is cut', async () => {
  computeWhatIsHandedIn();
  const way = await cutWay(5, (cut) => 2_000 + 40_000 * cut);
  const rows: Row[] = [];
  const progress: number[] = [];
  const api_ = { url: way.url, key: ADMIN };
  for await (const row of answersLater(api_, MODEL, RANGE, (done) => progress.push(done))) {
    rows.push(row);
  }
  way.close();
  assert.equal(way.made(), 5);
  assert.deepEqual(rows, await whole());
  assert.equal(progress.at(-1), rows.length);
  const bad = answersLater({ url, key: ADMIN }, MODEL, { ...RANGE, version: 9 });
  await assert.rejects(bad.next(), /no version 9/);
});

test('in TypeScript: more rows than a stream has are not waited for unasked', async () => {
  const range = { from: '1890-01-01', instruments: new Array<string>(200).fill('^GSPC') };
  computeWhatIsHandedIn(async () => 0);
  const rows = answers({ url, key: ADMIN }, MODEL, range);
  await assert.rejects(rows.next(), /see answersLater/);
});

const python = join(projectRoot, '.tools/venv/bin/python');
const skip = existsSync(python) ? false : 'no Python here: node infra/setup.mjs makes it';

test('in Python: the same rows, however often the way is cut', { skip }, async () => {
  const way = await cutWay(4, (cut) => 50_000 + 6_007 * cut);
  const [rows, refused] = await inPython(way.url, 'answers');
  way.close();
  assert.equal(way.made(), 4);
  assert.deepEqual(rows, await whole());
  assert.match(refused, /no version 9/);
});

test('in Python: a range as a workflow has the same rows, too', { skip }, async () => {
  computeWhatIsHandedIn();
  const way = await cutWay(5, (cut) => 2_000 + 40_000 * cut);
  const [rows, refused] = await inPython(way.url, 'answers_later');
  way.close();
  assert.equal(way.made(), 5);
  assert.deepEqual(rows, await whole());
  assert.match(refused, /no version 9/);
});

/** Rows of the range by a function of the client, and what it says of a version that is not. */
async function inPython(at: string, name: string): Promise<[Row[], string]> {
  const program = [
    'import json, sys',
    'sys.path.insert(0, "examples")',
    `from backtest_client import ${name}, Refused`,
    `rows = list(${name}("${MODEL}", "${RANGE.from}", "${RANGE.to}"))`,
    'try:',
    `    next(${name}("${MODEL}", "${RANGE.from}", version=9))`,
    'except Refused as error:',
    '    print(json.dumps([rows, str(error)]))',
  ].join('\n');
  const env = { ...process.env, RATCHET_URL: at, RATCHET_API_KEY: ADMIN };
  const child = spawn(python, ['-c', program], {
    cwd: projectRoot,
    env: { ...env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as [Row[], string];
}
