import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { ApiClient } from '../../../api/cli/http.ts';
import { CliError, createOutput, EXIT, type CliContext } from '../../../api/cli/output.ts';
import { predictRange } from '../../../api/cli/predict-range.ts';
import { rowsOfRange } from '../../../api/cli/range-rows.ts';
import { readConfig } from '../../../infra/config.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-rows-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const row = (n: number): string => `${JSON.stringify({ cursor: `c${n}` })}\n`;
const END = `${JSON.stringify({ done: true, rows: 1, failed: 0 })}\n`;
const problem = (status: number, detail: string) => ({ status, code: 'x', detail });
const early = (status: number, detail: string): string =>
  `${JSON.stringify({ done: false, problem: problem(status, detail) })}\n`;

type Answer = (response: ServerResponse) => void;
const ok =
  (...lines: readonly string[]): Answer =>
  (response) =>
    void response.writeHead(200).end(lines.join(''));
const refusing =
  (status: number, detail: string): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(problem(status, detail)));
  };
const cut =
  (text: string): Answer =>
  (response) => {
    response.writeHead(200);
    response.write(text, () => setTimeout(() => response.destroy(), 20));
  };

/** A server that gives one answer after the other, the last one again and again; what it was asked for. */
async function played<T>(
  answers: readonly Answer[],
  work: (url: string) => Promise<T>,
): Promise<{ result: T | CliError; cursors: unknown[] }> {
  const cursors: unknown[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(cursors.length, answers.length - 1)]!;
    void json(request).then((body) => {
      cursors.push((body as { cursor?: string }).cursor);
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  try {
    const result = await work(url).catch((error: unknown) => {
      assert.ok(error instanceof CliError, String(error));
      return error;
    });
    return { result, cursors };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function textOf(url: string, signal = new AbortController().signal): Promise<string> {
  const client = new ApiClient({ url, key: 'k' }, signal);
  const asked = { client, path: '/x', body: {}, cursor: undefined, signal, waitMs: 1 };
  let text = '';
  for await (const come of rowsOfRange(asked)) text += come.text;
  return text;
}

const errorOf = (result: string | CliError): CliError =>
  result instanceof CliError ? result : assert.fail(`it ended well: ${result}`);

test('an answer that ends without its last line is not asked for for ever', async () => {
  const { result, cursors } = await played([ok()], textOf);
  assert.match(errorOf(result).message, /ended its answer 9 times without a row/);
  assert.equal(errorOf(result).exitCode, EXIT.failed);
  assert.equal(cursors.length, 9);
  // Each row is a reason to go on.
  const each = Array.from({ length: 12 }, (_, n) => ok(row(n)));
  const rows = await played([...each, ok(END)], textOf);
  assert.equal(rows.result, Array.from({ length: 12 }, (_, n) => row(n)).join(''));
  assert.deepEqual(rows.cursors.slice(0, 3), [undefined, 'c0', 'c1']);
});

test('a problem that stays is said at once, as an answer and as the last line', async () => {
  for (const status of [404, 409, 422]) {
    const { result, cursors } = await played([ok(row(1), early(status, 'gone for good'))], textOf);
    assert.equal(errorOf(result).message, 'gone for good');
    assert.equal(cursors.length, 1);
    const refused = await played([refusing(status, 'no such thing')], textOf);
    assert.equal(errorOf(refused.result).message, 'no such thing');
    assert.equal(refused.cursors.length, 1);
  }
});

test('a problem that passes is waited for, behind the last row', async () => {
  const answers = [
    ok(row(1), early(503, 'the database is away')),
    refusing(503, 'too many at once'),
    refusing(429, 'four are open'),
    cut(`${row(2)}{"curs`),
    ok(row(3), END),
  ];
  const { result, cursors } = await played(answers, textOf);
  assert.equal(result, row(1) + row(2) + row(3));
  assert.deepEqual(cursors, [undefined, 'c1', 'c1', 'c1', 'c2']);
  const away = await played([refusing(503, 'still away')], textOf);
  assert.equal(errorOf(away.result).message, 'still away');
  assert.equal(away.cursors.length, 9);
});

test('an API that is not there is said at once', async () => {
  const { result: url } = await played([ok()], (at) => Promise.resolve(at));
  assert.ok(typeof url === 'string');
  await assert.rejects(textOf(url), /is not reachable/);
});

const context = (url: string): CliContext => ({
  ...{ json: false, interactive: false, config: readConfig({}) },
  out: createOutput(new PassThrough(), () => false),
  signal: new AbortController().signal,
  connect: () => Promise.resolve({ url, key: 'k' }),
});

test('Arrow that was cut leaves no file, and that of before as it was', async () => {
  const output = join(folder, 'rows.arrow');
  const save = (url: string) =>
    predictRange(context(url), 'm', { from: '2015-01-01', arrow: true, output });
  const first = await played([cut('ARROW')], save);
  assert.ok(first.result instanceof CliError);
  assert.match(first.result.message, /cut before its end/);
  assert.deepEqual(await readdir(folder), []);
  await writeFile(output, 'of before');
  await played([cut('ARROW')], save);
  assert.equal(await readFile(output, 'utf8'), 'of before');
  await played([ok('ARROW', '1')], save);
  assert.equal(await readFile(output, 'utf8'), 'ARROW1');
  assert.deepEqual(await readdir(folder), ['rows.arrow']);
});

test('a path that cannot be written is wrong use, before anything is asked', async () => {
  const output = join(folder, 'nowhere', 'rows');
  for (const arrow of [true, false]) {
    const { result, cursors } = await played([ok(END)], (url) =>
      predictRange(context(url), 'm', { from: '2015-01-01', arrow, output }),
    );
    assert.ok(result instanceof CliError);
    assert.deepEqual([result.exitCode, cursors.length], [EXIT.usage, 0]);
    assert.match(result.message, /nowhere\/rows cannot be written: ENOENT/);
  }
});
