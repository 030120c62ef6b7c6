/** Ranges as workflows over HTTP: the answer is that of the stream, byte for byte. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { MAX_STREAMED_ROWS } from '../../api/range/limits.ts';
import { ARROW, NDJSON } from '../../api/range/stream.ts';
import { StartSweeper } from '../../api/start-sweeper.ts';
import {
  batchPredictionOrThrow,
  OPEN_BATCH_PREDICTIONS,
} from '../../registry/batch-predictions.ts';
import {
  ADMIN,
  eventually,
  INSTRUMENT,
  memoryLog,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { batchActivities, batchByHand } from '../support/batch-by-hand.ts';
import { MODEL } from '../support/registry-facts.ts';

const PATH = `/api/v1/ml-models/${MODEL}/batch-predict`;
const BATCHES = '/api/v1/batch-predictions';
const RANGE = { from: '2019-06-03', to: '2019-12-31' };
/** A session of each day since then: several parts, and bars for the end of the last one. */
const LONG = { from: '1960-01-01', to: '2019-12-31' };

let fixture: ApiFixture;
let api: TestReplica;
before(async () => {
  fixture = await openApiFixture(2);
  api = await fixture.open('batches');
  await fixture.promote(1);
  const predict = () => api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {});
  await eventually('the champion answers', async () => (await predict()).status === 200);
});
after(() => fixture.close());
afterEach(async () => {
  fixture.orchestrator.away = undefined;
  fixture.orchestrator.state = 'running';
  await fixture.db.deleteFrom('batch_prediction').execute();
});

function send(method: string, path: string, options: SendOptions = {}): Promise<Response> {
  const { body, key = ADMIN, headers = {} } = options;
  return Promise.resolve(
    api.app.request(`http://localhost${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    }),
  );
}

interface SendOptions {
  readonly body?: object;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const handIn = (body: object, { headers, ...options }: SendOptions = {}) =>
  send('POST', PATH, { ...options, body, headers: { prefer: 'respond-async', ...headers } });

async function handedIn(body: object, options?: SendOptions): Promise<string> {
  const answer = await handIn(body, options);
  const view = (await answer.json()) as { id: string };
  assert.equal(answer.status, 202, JSON.stringify(view));
  assert.equal(answer.headers.get('location'), `${BATCHES}/${view.id}`);
  assert.equal(answer.headers.get('preference-applied'), 'respond-async');
  return view.id;
}

async function rowsOf(id: string, headers: Readonly<Record<string, string>> = {}, key = ADMIN) {
  const answer = await send('GET', `${BATCHES}/${id}/rows`, { headers, key });
  return { answer, bytes: Buffer.from(await answer.arrayBuffer()) };
}

async function problemOf(answer: Response): Promise<readonly [number, string]> {
  return [answer.status, ((await answer.json()) as { code: string }).code];
}

describe('the answer is that of the stream, byte for byte', () => {
  for (const accept of [NDJSON, ARROW]) {
    for (const body of [
      { range: LONG },
      { range: { ...RANGE, from: '2019-06-04' }, version: 2 },
      { range: LONG, version: 'then' },
      { range: { from: LONG.from } },
    ]) {
      test(`${accept} of ${JSON.stringify(body)}`, async () => {
        const streamed = await send('POST', PATH, { body, headers: { accept } });
        const expected = Buffer.from(await streamed.arrayBuffer());
        const id = await handedIn(body, { headers: { accept } });
        const { parts } = await batchPredictionOrThrow(fixture.db, id);
        assert.equal(await batchByHand(fixture, id), parts);
        const { answer, bytes } = await rowsOf(id);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('content-type'), accept);
        for (const name of ['x-ratchet-version', 'x-ratchet-rows']) {
          assert.equal(answer.headers.get(name), streamed.headers.get(name), name);
        }
        assert.ok(bytes.equals(expected), `${bytes.length} bytes, not ${expected.length}`);
        const view = (await api.call('GET', `${BATCHES}/${id}`)).body;
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        assert.deepEqual([view['sha256'], view['bytes']], [sha256, bytes.length]);
        assert.deepEqual([view['status'], view['rowsDone']], ['completed', view['rows']]);
        if (body.range.from === LONG.from) assert.ok(parts >= 4, `${parts} parts`);
      });
    }
  }
});

test('a download that was cut goes on where it was, and only with the same bytes', async () => {
  const id = await handedIn({ range: LONG });
  await batchByHand(fixture, id);
  const { answer: whole, bytes } = await rowsOf(id);
  const etag = whole.headers.get('etag')!;
  assert.equal(whole.headers.get('accept-ranges'), 'bytes');
  const ends = [0, 1, 300_000, Math.floor(bytes.length / 2), bytes.length - 1];
  for (const from of ends) {
    const range = { range: `bytes=${from}-`, 'if-range': etag };
    const { answer, bytes: rest } = await rowsOf(id, range);
    assert.equal(answer.status, 206);
    const said = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    assert.equal(answer.headers.get('content-range'), said);
    assert.equal(answer.headers.get('content-length'), String(bytes.length - from));
    assert.ok(rest.equals(bytes.subarray(from)), `from ${from}`);
  }
  const middle = await rowsOf(id, { range: 'bytes=1000000-1999999' });
  assert.ok(middle.bytes.equals(bytes.subarray(1_000_000, 2_000_000)));
  const last = await rowsOf(id, { range: 'bytes=-17' });
  assert.ok(last.bytes.equals(bytes.subarray(-17)));
  const other = await rowsOf(id, { range: 'bytes=5-', 'if-range': '"other"' });
  assert.deepEqual([other.answer.status, other.bytes.length], [200, bytes.length]);
  for (const odd of ['bytes=9-5', 'bytes=1-2,5-6', 'lines=0-', 'bytes=-']) {
    assert.equal((await rowsOf(id, { range: odd })).answer.status, 200, odd);
  }
  const beyond = await send('GET', `${BATCHES}/${id}/rows`, {
    headers: { range: `bytes=${bytes.length}-` },
  });
  assert.equal(beyond.headers.get('content-range'), `bytes */${bytes.length}`);
  assert.deepEqual(await problemOf(beyond), [416, 'batch-prediction.bytes']);
});

test('a part that is there is not computed again, whatever has become of packages and bars', async () => {
  const id = await handedIn({ range: LONG });
  const ref = { batchPredictionId: id };
  const { plan, answer, finish } = batchActivities(fixture);
  const { parts } = await plan(ref);
  const first = await answer({ ...ref, part: 0 });
  assert.equal(first.cached, false);
  const broken = new Proxy(fixture.artifacts, {
    get: () => () => Promise.reject(new Error('the store is away')),
  });
  const without = batchActivities(fixture, { artifacts: broken });
  assert.deepEqual(await without.answer({ ...ref, part: 0 }), { ...first, cached: true });
  await assert.rejects(without.answer({ ...ref, part: 1 }), /the store is away/);
  await assert.rejects(finish(ref), /1 of \d+ parts/);
  // An attempt of a worker that was taken for dead: the same bytes, counted once.
  await fixture.db.deleteFrom('batch_prediction_part').execute();
  const again = await answer({ ...ref, part: 0 });
  assert.deepEqual(again, first);
  const twice = await Promise.all([answer({ ...ref, part: 1 }), answer({ ...ref, part: 1 })]);
  assert.deepEqual(twice[0].answers, twice[1].answers);
  for (let part = 2; part < parts; part++) await answer({ ...ref, part });
  const events = (await api.call('GET', `${BATCHES}/${id}/events`)).body;
  const kinds = (events['items'] as unknown as { kind: string }[]).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['plan', ...new Array<string>(parts).fill('part')]);
  await finish(ref);
  const ended = (await api.call('GET', `${BATCHES}/${id}/events`)).body;
  assert.deepEqual(
    [(ended['items'] as unknown as object[]).length, ended['ended']],
    [parts + 2, true],
  );
});

test('what is asked again is answered by the one that there is', async () => {
  const id = await handedIn({ range: RANGE });
  assert.equal(await handedIn({ range: RANGE }), id);
  assert.equal(await handedIn({ range: { ...RANGE, from: '2019-06-03T00:00:00Z' } }), id);
  await batchByHand(fixture, id);
  fixture.clock.now += 60_000;
  try {
    assert.equal(await handedIn({ range: RANGE, version: 1 }), id, 'a minute makes no other rows');
  } finally {
    fixture.clock.now -= 60_000;
  }
  const others = [
    await handedIn({ range: RANGE, version: 2 }),
    await handedIn({ range: RANGE }, { headers: { accept: ARROW } }),
    await handedIn({ range: { from: RANGE.from } }),
  ];
  assert.equal(new Set([id, ...others]).size, 4);
  const key = { 'idempotency-key': 'a-key-of-mine' };
  const keyed = await handedIn({ range: { from: '2019-07-01' } }, { headers: key });
  assert.equal(await handedIn({ range: { from: '2019-07-01' } }, { headers: key }), keyed);
  const mismatch = await handIn({ range: RANGE }, { headers: key });
  assert.deepEqual(await problemOf(mismatch), [422, 'idempotency.mismatch']);
});

test('one that failed is asked anew; of a key only some are open', async () => {
  const id = await handedIn({ range: RANGE });
  const { fail } = batchActivities(fixture);
  await fail({ batchPredictionId: id, status: 'failed', reason: 'no package' });
  const { body } = await api.call('GET', `${BATCHES}/${id}`);
  assert.deepEqual([body['status'], body['message']], ['failed', 'no package']);
  const rows = await send('GET', `${BATCHES}/${id}/rows`);
  assert.deepEqual(await problemOf(rows), [409, 'batch-prediction.unfinished']);
  assert.notEqual(await handedIn({ range: RANGE }), id);
  for (let n = 1; n < OPEN_BATCH_PREDICTIONS; n++) {
    await handedIn({ range: { ...RANGE, to: `2019-12-1${n}` } });
  }
  const more = await handIn({ range: { ...RANGE, to: '2019-11-01' } });
  assert.deepEqual(await problemOf(more), [429, 'batch-prediction.too-many']);
});

test('it is for the key that asked and for admins, of models that they may use', async () => {
  const keyOf = async (name: string, models: readonly string[] = []): Promise<string> => {
    const asked = { name, scopes: ['predict'], models };
    return String((await api.call('POST', '/api/v1/keys', asked)).body['token']);
  };
  const [own, other] = [await keyOf('own'), await keyOf('other')];
  const id = await handedIn({ range: RANGE }, { key: own });
  assert.notEqual(await handedIn({ range: RANGE }, { key: other }), id);
  await batchByHand(fixture, id);
  for (const path of ['', '/rows', '/events']) {
    const of = `${BATCHES}/${id}${path}`;
    assert.equal((await send('GET', of, { key: own })).status, 200, path);
    assert.equal((await send('GET', of)).status, 200, path);
    const answer = await send('GET', of, { key: other });
    assert.deepEqual(await problemOf(answer), [404, 'batch-prediction.unknown']);
  }
  assert.equal((await send('POST', `${BATCHES}/${id}/cancel`, { key: other })).status, 404);
  const listed = async (key: string, query = ''): Promise<string[]> => {
    const { body } = await api.call('GET', `${BATCHES}${query}`, undefined, { key });
    return (body['items'] as unknown as { id: string }[]).map((one) => one.id);
  };
  assert.deepEqual(await listed(own), [id]);
  assert.equal((await listed(ADMIN)).length, 2);
  assert.deepEqual(await listed(ADMIN, '?status=completed'), [id]);
  const { body } = await api.call('GET', `${BATCHES}?limit=1`);
  assert.deepEqual(await listed(ADMIN, `?before=${String(body['nextCursor'])}`), [id]);
  const elsewhere = await keyOf('elsewhere', ['another-model']);
  assert.deepEqual(await listed(elsewhere), []);
});

test('it is cancelled by its workflow, or at once where none is at it', async () => {
  const cancel = async (id: string) =>
    (await api.call('POST', `${BATCHES}/${id}/cancel`)).body['status'];
  const id = await handedIn({ range: RANGE });
  const { plan, answer, fail } = batchActivities(fixture);
  await plan({ batchPredictionId: id });
  assert.equal(await cancel(id), 'running', 'the workflow will write its end');
  await fail({ batchPredictionId: id, status: 'cancelled', reason: 'cancelled' });
  const again = await api.call('POST', `${BATCHES}/${id}/cancel`);
  assert.deepEqual([again.status, again.body['code']], [409, 'batch-prediction.ended']);
  const late = answer({ batchPredictionId: id, part: 0 });
  await assert.rejects(late, /is cancelled/, 'a late attempt computes nothing');
  const other = await handedIn({ range: RANGE });
  fixture.orchestrator.batches.clear();
  assert.equal(await cancel(other), 'cancelled');
});

test('one whose start did not reach Temporal is started later; one that lost its workflow fails', async () => {
  const { db, orchestrator } = fixture;
  const sweep = (minutes: number) =>
    new StartSweeper(
      { db, orchestrator, log: memoryLog() },
      () => Date.now() + minutes * 60_000,
    ).sweep();
  const id = await handedIn({ range: RANGE });
  orchestrator.batches.clear();
  assert.equal(await sweep(1), 1);
  assert.ok(orchestrator.batches.has(id));
  await batchActivities(fixture).plan({ batchPredictionId: id });
  orchestrator.state = 'unknown';
  await sweep(10);
  assert.equal((await batchPredictionOrThrow(db, id)).status, 'failed');
});

test('a range of more rows than a stream has is handed in without being asked for', async () => {
  const body = { range: LONG, instruments: new Array<string>(400).fill(INSTRUMENT) };
  const answer = await send('POST', PATH, { body });
  const view = (await answer.json()) as { id: string; rows: number; parts: number };
  assert.equal(answer.status, 202);
  assert.ok(view.rows > MAX_STREAMED_ROWS, `${view.rows} rows`);
  assert.equal(view.parts, 1_600);
  assert.equal(answer.headers.get('location'), `${BATCHES}/${view.id}`);
});

test('what cannot be handed in', async () => {
  const streamed = await send('POST', PATH, { body: { range: RANGE } });
  const [line] = (await streamed.text()).split('\n');
  const { cursor } = JSON.parse(line!) as { cursor: string };
  const refused = await handIn({ range: RANGE, cursor });
  assert.deepEqual(await problemOf(refused), [422, 'range.handed-in']);
  const unknown = await handIn({ range: RANGE, version: 9 });
  assert.deepEqual(await problemOf(unknown), [404, 'version.unknown']);
  const none = await send('GET', `${BATCHES}/01JRATCHET0000000000000000/rows`);
  assert.deepEqual(await problemOf(none), [404, 'batch-prediction.unknown']);
  const id = await handedIn({ range: RANGE });
  const early = await send('GET', `${BATCHES}/${id}/rows`);
  assert.deepEqual(await problemOf(early), [409, 'batch-prediction.unfinished']);
  fixture.orchestrator.away = new Error('Temporal is away');
  assert.equal((await handIn({ range: LONG })).status, 500);
  const { body } = await api.call('GET', BATCHES);
  assert.equal((body['items'] as unknown as object[]).length, 1, 'nothing was written then');
});
