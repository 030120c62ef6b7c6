/** Ranges as workflows from the command line; the workflow is played by its activities. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { EXIT } from '../../../api/cli/output.ts';
import { ADMIN, eventually, openApiFixture, type ApiFixture } from '../../support/api-fixture.ts';
import { batchActivities, batchByHand } from '../../support/batch-by-hand.ts';
import { run as runAt } from '../../support/cli-run.ts';
import { MODEL } from '../../support/registry-facts.ts';

const RANGE = ['--from', '2019-06-03', '--to', '2019-12-31'];

let fixture: ApiFixture;
let server: Server;
let url: string;
let folder: string;
/** Answers of the server that are cut after so many bytes. */
let cuts: number[] = [];
before(async () => {
  fixture = await openApiFixture(1);
  const replica = await fixture.open('a');
  const answer = getRequestListener(replica.app.fetch);
  server = createServer((request, response) => {
    const cut = request.url!.endsWith('/rows') ? cuts.shift() : undefined;
    if (cut !== undefined) cutAfter(response, cut);
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  url = `http://localhost:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'ratchet-batches-'));
  await fixture.promote(1);
  const predict = () =>
    replica.call('POST', `/api/v1/ml-models/${MODEL}/predict`, { record: false });
  await eventually('the champion answers', async () => (await predict()).status === 200);
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
  await fixture.close();
});
beforeEach(async () => {
  cuts = [];
  await fixture.db.deleteFrom('batch_prediction').execute();
  compute(batchByHand.bind(undefined, fixture));
});

function cutAfter(response: import('node:http').ServerResponse, bytes: number): void {
  const write = response.write.bind(response) as (chunk: Uint8Array) => boolean;
  let left = bytes;
  response.write = ((chunk: Uint8Array) => {
    write(chunk.subarray(0, left));
    left = Math.max(0, left - chunk.length);
    if (left === 0) setTimeout(() => response.socket?.destroy(), 20);
    return false;
  }) as typeof response.write;
}

/** What becomes of one that is handed in. */
function compute(work: (id: string) => Promise<unknown>): void {
  fixture.orchestrator.startBatchPrediction = async (id) => {
    setTimeout(() => void work(id), 20);
    return true;
  };
}

const run = (...argv: string[]) => runAt({ url, key: ADMIN }, ...argv);
const handIn = (...argv: string[]) => run('batch-predict', MODEL, ...RANGE, '--async', ...argv);
const path = (name: string): string => join(folder, name);

async function streamed(): Promise<string> {
  const response = await fetch(`${url}/api/v1/ml-models/${MODEL}/batch-predict`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ range: { from: RANGE[1], to: RANGE[3] } }),
  });
  return response.text();
}

const idIn = (text: string): string =>
  /[0-9A-HJKMNP-TV-Z]{26}/.exec(text)?.[0] ?? assert.fail(text);

test('handed in, waited for and written: the file is the stream, byte for byte', async () => {
  const file = path('rows.ndjson');
  const { code, text, error } = await handIn('-o', file);
  assert.equal(code, EXIT.ok, error);
  assert.match(text, /148 rows in 1 parts/);
  assert.match(text, /rows\.ndjson: 148 rows, 0 of them without an answer/);
  assert.equal(await readFile(file, 'utf8'), await streamed());
  const json = await handIn('-o', file, '--json');
  const documents = json.text.trim().split('\n');
  assert.equal((JSON.parse(documents[0]!) as { kind: string }).kind, 'plan');
  const last = JSON.parse(documents.at(-1)!) as Readonly<Record<string, unknown>>;
  assert.deepEqual([last['status'], last['rowsDone'], last['output']], ['completed', 148, file]);
});

test('only handed in: it can be shown, listed and fetched by its id', async () => {
  const { code, text } = await handIn();
  assert.equal(code, EXIT.ok);
  const id = idIn(text);
  assert.match(text, new RegExp(`batch-predictions ${id} -o FILE`));
  assert.equal(idIn((await handIn('--key', 'my-own-key')).text), id, 'the same asked again');
  const file = path('later.ndjson');
  assert.equal((await run('batch-predictions', id, '-o', file)).code, EXIT.ok);
  assert.equal(await readFile(file, 'utf8'), await streamed());
  assert.match((await run('batch-predictions', id)).text, /version 1: completed\n148 rows/);
  assert.match((await run('batch-predictions', '-m', MODEL)).text, new RegExp(`${id} .*148`));
  assert.match((await run('batch-predictions', '-m', 'no-such')).text, /none yet/);
});

test('a download that is cut goes on where it was, also in a later command', async () => {
  const file = path('cut.ndjson');
  cuts = [1_000, 30_000];
  const first = await handIn('-o', file);
  assert.equal(first.code, EXIT.ok, first.error);
  assert.deepEqual(cuts, []);
  const whole = await streamed();
  assert.equal(await readFile(file, 'utf8'), whole);
  const { sha256 } = await fixture.db
    .selectFrom('batch_prediction')
    .select('sha256')
    .executeTakeFirstOrThrow();
  const part = `${file}.${sha256!.slice(0, 12)}.part`;
  await writeFile(part, whole);
  await truncate(part, 5_000);
  assert.equal((await handIn('-o', file)).code, EXIT.ok);
  assert.equal(await readFile(file, 'utf8'), whole);
  // What is none of it is not taken for it.
  await writeFile(part, 'x'.repeat(whole.length));
  const wrong = await handIn('-o', file);
  assert.deepEqual([wrong.code, /is not what/.test(wrong.error)], [EXIT.failed, true]);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.part')),
    [],
  );
});

test('one that fails, or is cancelled, ends the command with its reason', async () => {
  const { fail } = batchActivities(fixture);
  const ending = (status: 'failed' | 'cancelled') =>
    compute((batchPredictionId) => fail({ batchPredictionId, status, reason: 'no package' }));
  ending('failed');
  const failed = await handIn('--wait');
  assert.equal(failed.code, EXIT.failed);
  assert.match(failed.error, /failed: no package/);
  compute(() => Promise.resolve());
  const id = idIn((await handIn()).text);
  assert.equal((await run('batch-predictions', id, '--cancel')).code, EXIT.ok);
  const cancelled = await run('batch-predictions', id, '--watch');
  assert.deepEqual([cancelled.code, /cancelled/.test(cancelled.error)], [EXIT.failed, true]);
  const again = await run('batch-predictions', id, '--cancel');
  assert.deepEqual([again.code, /has ended: cancelled/.test(again.error)], [EXIT.refused, true]);
  assert.equal((await run('batch-predictions', id)).code, EXIT.ok);
});

test('more rows than a stream has: the command names what computes them', async () => {
  const many = new Array<string>(200).fill('^GSPC').join(',');
  compute(() => Promise.resolve());
  for (const argv of [[], ['--arrow', '-o', path('many.arrow')]]) {
    const asked = ['batch-predict', MODEL, '--from', '1890-01-01', '-i', many];
    const { code, error, hint } = await run(...asked, ...argv);
    assert.equal(code, EXIT.refused, error);
    assert.match(error, /\d+ rows are too many for a stream/);
    assert.match(hint, new RegExp(`batch-predictions ${idIn(error)} -o FILE`));
  }
});

test('what does not go together is refused', async () => {
  const wrong: readonly (readonly string[])[] = [
    ['batch-predict', MODEL, ...RANGE, '--wait'],
    ['batch-predict', MODEL, '-i', '^GSPC', '--async', '--wait'],
    ['batch-predictions', '--cancel'],
    ['batch-predictions', '-o', path('none')],
  ];
  for (const argv of wrong) assert.equal((await run(...argv)).code, EXIT.usage, argv.join(' '));
  const none = await run('batch-predictions', '01JRATCHET0000000000000000');
  assert.equal(none.code, EXIT.notFound);
  const version = await handIn('-v', '9');
  assert.equal(version.code, EXIT.notFound);
});
