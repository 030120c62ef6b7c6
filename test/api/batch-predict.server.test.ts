import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createKey } from '../../registry/keys.ts';
import { walkBars } from '../support/made-bars.ts';
import { MODEL } from '../support/registry-facts.ts';
import { eventually, INSTRUMENT, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import type { TestReplica } from '../support/api-fixture.ts';

let fixture: ApiFixture;
let api: TestReplica;
before(async () => {
  fixture = await openApiFixture(2);
  api = await fixture.open('batches');
});
after(() => fixture.close());

const PATH = `/api/v1/ml-models/${MODEL}/batch-predict`;
const ask = (body: object, headers: Record<string, string> = {}) =>
  api.call('POST', PATH, body, { headers });

interface Outcome {
  readonly index: number;
  readonly batchId?: string;
  readonly prediction?: Readonly<Record<string, unknown>>;
  readonly problem?: {
    readonly code: string;
    readonly status: number;
    readonly issues?: { path: string }[];
  };
}
const outcomes = (body: Readonly<Record<string, unknown>>): Outcome[] => body['items'] as Outcome[];

const barsOf = (count: number) => {
  const bars = walkBars(count, { instrument: INSTRUMENT, from: '2017-01-03' });
  return Array.from(bars.openTime, (time, i) => ({
    openTime: new Date(time).toISOString(),
    open: bars.open[i],
    high: bars.high[i],
    low: bars.low[i],
    close: bars.close[i],
    volume: bars.volume[i],
  }));
};

test('a model without a champion answers no batch: one problem for all of it', async () => {
  const { status, body } = await ask({ items: [{}] });
  assert.deepEqual([status, body['code']], [409, 'champion.none']);
});

test('what a batch may be is checked before anything is computed', async () => {
  await fixture.promote(1);
  await eventually('the champion answers', async () => (await ask({ items: [{}] })).status === 200);
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{}, /either items or instruments/],
    [{ items: [{}], instruments: [INSTRUMENT] }, /either items or instruments/],
    [{ items: [{}], asOf: ['2019-01-02'] }, /asOf goes with instruments/],
    [{ items: [] }, /items/],
    [{ items: Array.from({ length: 1001 }, () => ({})) }, /items/],
    [
      {
        instruments: Array.from({ length: 40 }, () => INSTRUMENT),
        asOf: Array.from({ length: 26 }, () => '2019-01-02'),
      },
      /1000 items at most/,
    ],
    [{ itmes: [{}] }, /Did you mean "items"/],
  ];
  for (const [body, words] of wrong) {
    const answer = await ask(body);
    assert.deepEqual([answer.status, answer.body['code']], [422, 'body.invalid']);
    assert.match(String(answer.body['detail']), words);
  }
});

test('each item gets what a request for it alone gets; a bad one fails nobody else', async () => {
  const rows = barsOf(700);
  const items = [
    { instrument: INSTRUMENT },
    { instrument: 'NONE' },
    'no item',
    { instrument: INSTRUMENT, asOf: '2019-06-03' },
    { instrument: INSTRUMENT, bars: rows },
    { instrument: INSTRUMENT, bars: rows.slice(0, 3) },
    { instrument: INSTRUMENT, bars: [{ ...rows[0], high: -1 }] },
    { instrumnet: INSTRUMENT },
    { instrument: INSTRUMENT, asOf: '2999-01-01' },
    {},
  ];
  const { status, body } = await ask({ items, record: false });
  assert.equal(status, 200, JSON.stringify(body));
  const found = outcomes(body);
  assert.deepEqual(
    found.map(({ index }) => index),
    items.map((_, i) => i),
  );
  assert.equal(body['failed'], 6);
  for (const { index, prediction, problem } of found) {
    const item = items[index];
    const alone = await api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {
      ...(typeof item === 'string' ? { wrong: item } : item),
      ...{ confidence: 'none', record: false },
    });
    assert.equal(prediction === undefined, alone.status !== 200, `item ${index}`);
    if (prediction) {
      assert.equal(prediction['batchId'], body['batchId']);
      assert.equal(prediction['version'], 1);
      assert.equal(prediction['recorded'], false);
      for (const part of ['instrument', 'asOf', 'lastClose', 'horizons'])
        assert.deepEqual(prediction[part], alone.body[part], `${part} of item ${index}`);
    } else {
      assert.deepEqual([problem!.status, problem!.code], [alone.status, alone.body['code']]);
      const paths = (problem!.issues ?? []).map(({ path }) => path);
      assert.ok(paths.every((path) => path.startsWith(`/items/${index}`)));
    }
  }
});

test('instruments times times, a line an item; recorded under one batch id, of the version named', async () => {
  const asOf = ['2019-06-03', '2019-06-04', '2019-06-05'];
  const body = { instruments: [INSTRUMENT, 'NONE'], asOf, version: 2 };
  const response = await ask(body, { accept: 'application/x-ndjson' });
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  assert.ok(response.headers.get('x-request-id'));
  const lines = String(response.body['text']).trimEnd().split('\n');
  const found = lines.map((line) => JSON.parse(line) as Outcome);
  assert.equal(found.length, 6);
  const [batchId] = new Set(found.map((line) => line.batchId));
  assert.ok(found.every((line) => line.batchId === batchId));
  assert.deepEqual(
    found.map(({ problem }) => problem?.code),
    [...asOf.map(() => undefined), ...asOf.map(() => 'predict.unknown-instrument')],
  );
  assert.deepEqual(
    found.slice(0, 3).map(({ prediction }) => String(prediction!['asOf']).slice(0, 10)),
    asOf,
  );
  await api.recorder.drain();
  const rows = await fixture.db
    .selectFrom('prediction')
    .select(['version', 'role', 'batch_id'])
    .where('batch_id', '=', batchId!)
    .execute();
  assert.equal(rows.length, 3);
  assert.ok(rows.every(({ version, role }) => version === 2 && role === 'pinned'));
});

test('a thousand windows are run together, and other callers come in between', async () => {
  const { pkg } = await api.parts.serving.describe(MODEL);
  const { lookback, featureNames } = pkg.preprocessing;
  const row = featureNames.map(() => 0.01);
  const window = Array.from({ length: lookback }, () => row);
  const one = { instrument: INSTRUMENT, window, lastClose: 2500, openTime: '2019-06-03' };
  const count = Math.min(1000, Math.floor(3_000_000 / JSON.stringify(one).length));
  const items = Array.from({ length: count }, (_, i) => ({ ...one, lastClose: 2500 + i }));
  let done = false;
  const batch = ask({ items, record: false }).finally(() => (done = true));
  const between = await api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {
    confidence: 'none',
    record: false,
  });
  assert.equal(between.status, 200);
  assert.equal(done, false, 'one prediction did not wait for the batch');
  const { status, body } = await batch;
  assert.deepEqual([status, body['failed']], [200, 0]);
  const metrics = await api.parts.metrics.registry.metrics();
  assert.match(metrics, /le="32"/);
});

test('a key for other models learns nothing', async () => {
  const made = await createKey(fixture.db, {
    ...{ name: 'narrow', scopes: ['predict'] as const, models: ['other'], expiresAt: null },
  });
  await api.parts.keys.refresh();
  const { status, body } = await api.call('POST', PATH, { items: [{}] }, { key: made.token });
  assert.deepEqual([status, body['code']], [404, 'model.not-found']);
});
