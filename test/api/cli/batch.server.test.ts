import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { tableFromIPC } from 'apache-arrow';
import { Command } from 'commander';
import { register as registerBatchPredict } from '../../../api/cli/batch-predict.ts';
import { CliError, createOutput, EXIT, type CliContext } from '../../../api/cli/output.ts';
import { register as registerPredict } from '../../../api/cli/predict.ts';
import { register as registerResults } from '../../../api/cli/results.ts';
import { register as registerSignal } from '../../../api/cli/signal.ts';
import { readConfig } from '../../../infra/config.ts';
import {
  ADMIN,
  eventually,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
} from '../../support/api-fixture.ts';
import { MODEL } from '../../support/registry-facts.ts';

let fixture: ApiFixture;
let server: Server;
let folder: string;
let url: string;
before(async () => {
  fixture = await openApiFixture(1);
  const replica = await fixture.open('a');
  const answer = getRequestListener(replica.app.fetch);
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  url = `http://localhost:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'ratchet-batch-'));
  await fixture.promote(1);
  await eventually('the champion answers', async () => {
    const path = `/api/v1/ml-models/${MODEL}/predict`;
    return (await replica.call('POST', path, { record: false })).status === 200;
  });
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
  await fixture.close();
});

/** Runs a command line in this process; the exit code that it would end with. */
async function run(...argv: string[]): Promise<{ code: number; text: string }> {
  const stdout = new PassThrough();
  let text = '';
  stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const json = argv.includes('--json');
  const ctx: CliContext = {
    ...{ json, interactive: false, config: readConfig({}), out: createOutput(stdout, () => json) },
    signal: new AbortController().signal,
    connect: () => Promise.resolve({ url, key: ADMIN }),
  };
  const program = new Command('ratchet').option('--json').exitOverride();
  for (const register of [registerPredict, registerSignal, registerBatchPredict, registerResults])
    register(program, ctx);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return { code: Number(process.exitCode ?? EXIT.ok), text };
  } catch (error) {
    if (error instanceof CliError) return { code: error.exitCode, text: error.message };
    throw error;
  } finally {
    process.exitCode = undefined;
  }
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

test('items of a file: an array, a body, or one a line', async () => {
  const items = [{}, { instrument: INSTRUMENT, asOf: '2019-06-03' }];
  const forms = {
    'array.json': JSON.stringify(items),
    'body.json': JSON.stringify({ items }, undefined, 2),
    'lines.ndjson': `${items.map((item) => JSON.stringify(item)).join('\n')}\n\n`,
  };
  for (const [name, text] of Object.entries(forms)) {
    const { code, text: said } = await run('batch-predict', MODEL, await file(name, text));
    assert.equal(code, EXIT.ok, said);
    assert.match(said, /2019-06-03T00:00/);
    assert.match(said, /version 1, batch \w{26}: 2 predicted, 0 failed/);
  }
});

test('one that failed is shown beside the others, and the exit code tells', async () => {
  const path = await file('some.json', '[{}, {"instrument": "NONE"}]');
  const { code, text } = await run('batch-predict', MODEL, path);
  assert.equal(code, EXIT.failed);
  assert.match(text, /not for NONE/);
  assert.match(text, /1 predicted, 1 failed/);
});

test('instruments as of several times; JSON for programs', async () => {
  const times = '2019-06-03,2019-06-04';
  const asked = ['-i', INSTRUMENT, '--as-of', times, '--no-record', '--json'];
  const { code, text } = await run('batch-predict', MODEL, ...asked);
  assert.equal(code, EXIT.ok);
  const answer = JSON.parse(text) as { items: { prediction: { recorded: boolean } }[] };
  assert.deepEqual(
    answer.items.map(({ prediction }) => prediction.recorded),
    [false, false],
  );
});

test('a line that is no item is named; neither or both of file and instruments is wrong use', async () => {
  const path = await file('wrong.ndjson', '{}\n[1]\n');
  const wrong = await run('batch-predict', MODEL, path);
  assert.deepEqual([wrong.code, /line 2 is no JSON object/.test(wrong.text)], [EXIT.usage, true]);
  assert.equal((await run('batch-predict', MODEL)).code, EXIT.usage);
  assert.equal((await run('batch-predict', MODEL, path, '-i', INSTRUMENT)).code, EXIT.usage);
});

test('handed in now, answered later: each command that predicts, and results', async () => {
  const path = await file('one.json', '[{}]');
  const commands = [
    ['predict', MODEL],
    ['signal', MODEL],
    ['batch-predict', MODEL, path],
  ];
  for (const command of commands) {
    const { code, text } = await run(...command, '--async');
    assert.equal(code, EXIT.ok, text);
    const [, id] = /ratchet results (\w{26}) --wait/.exec(text) ?? [];
    const later = await run('results', id!, '--wait', '--json');
    assert.equal(later.code, EXIT.ok, later.text);
    assert.equal((JSON.parse(later.text) as { version: number }).version, 1);
  }
  const failed = await run('predict', MODEL, '--version', '9', '--async', '--json');
  const { id } = JSON.parse(failed.text) as { id: string };
  const end = await run('results', id, '--wait');
  assert.deepEqual([end.code, /has no version 9/.test(end.text)], [EXIT.usage, true]);
});

test('a range into a file: a row a line, gone on where an earlier command was cut', async () => {
  const file = join(folder, 'rows.ndjson');
  const range = ['--from', '2019-07-01', '--to', '2019-12-31'];
  const first = await run('batch-predict', MODEL, ...range, '-o', file);
  assert.equal(first.code, EXIT.ok, first.text);
  assert.match(first.text, /rows\.ndjson: 128 rows, 0 of them without an answer/);
  const whole = await readFile(file, 'utf8');
  assert.equal(whole.split('\n').length, 128 + 3, 'the question, its rows, the end, and nothing');
  const again = await run('batch-predict', MODEL, ...range, '-o', file);
  assert.deepEqual([again.code, /has all of it already/.test(again.text)], [0, true]);
  const pinned = await run('batch-predict', MODEL, ...range, '-v', '1', '-o', file);
  assert.deepEqual([pinned.code, /another question/.test(pinned.text)], [EXIT.refused, true]);
  // Cut in the middle of a row, at the end of the question, and within that.
  for (const bytes of [whole.length / 3, whole.indexOf('\n') + 1, 5]) {
    await writeFile(file, whole.slice(0, bytes));
    const rest = await run('batch-predict', MODEL, ...range, '-o', file);
    assert.equal(rest.code, EXIT.ok, rest.text);
    assert.equal(await readFile(file, 'utf8'), whole);
  }
  await writeFile(file, 'something else\n');
  const foreign = await run('batch-predict', MODEL, ...range, '-o', file);
  assert.deepEqual([foreign.code, /not written by this/.test(foreign.text)], [EXIT.usage, true]);
  assert.equal(await readFile(file, 'utf8'), 'something else\n');
});

test('a range as Arrow, and what does not go with a range', async () => {
  const file = join(folder, 'rows.arrow');
  const range = ['--from', '2019-12-02', '--to', '2019-12-31'];
  const { code, text } = await run('batch-predict', MODEL, ...range, '--arrow', '-o', file);
  assert.equal(code, EXIT.ok, text);
  assert.equal(tableFromIPC(await readFile(file)).numRows, 21);
  const both = await run('batch-predict', MODEL, ...range, '--as-of', '2019-12-02');
  assert.deepEqual([both.code, /no --as-of beside it/.test(both.text)], [EXIT.usage, true]);
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[...range, '--wait'], /go with --from and --async/],
    [[...range, '--no-record'], /leave out --no-record/],
    [[...range, '-c', 'mc'], /leave out --confidence/],
    [['-i', INSTRUMENT, '--arrow'], /go with --from/],
    [['-i', INSTRUMENT, '-o', file], /go with --from/],
  ];
  for (const [args, words] of wrong) {
    const refused = await run('batch-predict', MODEL, ...args);
    assert.equal(refused.code, EXIT.usage, args.join(' '));
    assert.match(refused.text, words);
  }
  const nobody = await run('batch-predict', MODEL, ...range, '-v', '9', '-o', `${file}2`);
  assert.equal(nobody.code, EXIT.notFound, nobody.text);
});
