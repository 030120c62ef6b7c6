import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { listPredictions } from '../../registry/predictions.ts';
import {
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const PREDICT = `/api/v1/ml-models/${MODEL}/predict`;

describe('predict', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a', { notifications: true });
  });
  after(() => fixture.close());

  it('says what to do when there is no champion, and 404 for a model that is not', async () => {
    const none = await replica.call('POST', PREDICT, { instrument: INSTRUMENT });
    assert.equal(none.status, 409);
    assert.equal(none.body['code'], 'champion.none');
    assert.match(String(none.body['detail']), /ratchet promote/);
    const unknown = await replica.call('POST', '/api/v1/ml-models/no-such/predict', {});
    assert.equal(unknown.status, 404);
  });

  it('answers from the champion, with confidence and without', async () => {
    assert.deepEqual(await fixture.promote(1), { status: 'promoted', generation: 1 });
    await replica.replica.poll();
    const bare = await replica.call('POST', PREDICT, {
      instrument: INSTRUMENT,
      confidence: 'none',
    });
    assert.equal(bare.status, 200, JSON.stringify(bare.body));
    assert.equal(bare.body['version'], 1);
    assert.equal(bare.body['generation'], 1);
    assert.equal(bare.body['recorded'], true);
    const horizons = bare.body['horizons'] as unknown as { confidence: number | null }[];
    assert.equal(horizons.length, 3);
    assert.ok(horizons.every((h) => h.confidence === null));
    const mc = await replica.call('POST', PREDICT, { instrument: INSTRUMENT });
    assert.equal(mc.status, 200, JSON.stringify(mc.body));
    for (const h of mc.body['horizons'] as unknown as {
      confidence: number;
      interval80: number[];
    }[]) {
      assert.ok(h.confidence >= 0.1 && h.confidence <= 0.9);
      assert.equal(h.interval80.length, 2);
    }
  });

  it('answers for a pinned version, bars and windows of the caller, and the past', async () => {
    const pinned = await replica.call('POST', PREDICT, { version: 2, confidence: 'none' });
    assert.equal(pinned.body['version'], 2);
    const past = await replica.call('POST', PREDICT, {
      instrument: INSTRUMENT,
      asOf: '2019-12-01',
      confidence: 'none',
    });
    assert.equal(past.status, 200, JSON.stringify(past.body));
    assert.equal(past.body['asOf'], '2019-11-29T00:00:00.000Z');
    assert.equal(past.body['staleBars'], 0);
    const unnamed = await replica.call('POST', PREDICT, { asOf: '2019-12-01', confidence: 'none' });
    assert.deepEqual(
      [unnamed.body['instrument'], unnamed.body['asOf'], unnamed.body['horizons']],
      [INSTRUMENT, past.body['asOf'], past.body['horizons']],
    );
    const few = await replica.call('POST', PREDICT, {
      bars: [
        { openTime: '2020-01-02', open: 1, high: 1, low: 1, close: 1, volume: 1 },
        { openTime: '2020-01-03', open: 1, high: 1, low: 1, close: 1, volume: 1 },
      ],
    });
    assert.equal(few.status, 422);
    assert.equal(few.body['code'], 'predict.too-few-bars');
    assert.ok(Number(few.body['missing']) > 100, JSON.stringify(few.body));
    const described = await replica.call('GET', `/v2/models/${MODEL}`);
    const [, lookback, features] = (
      described.body['inputs'] as unknown as { shape: number[] }[]
    )[0]!.shape as [number, number, number];
    const window = Array.from({ length: lookback }, () => new Array<number>(features).fill(0.1));
    const own = await replica.call('POST', PREDICT, {
      instrument: INSTRUMENT,
      window,
      lastClose: 100,
      openTime: '2020-01-03',
      confidence: 'none',
    });
    assert.equal(own.status, 200, JSON.stringify(own.body));
    const alone = { window, lastClose: 100, openTime: '2020-01-03', confidence: 'none' };
    const only = await replica.call('POST', PREDICT, alone);
    assert.deepEqual(
      [only.status, only.body['instrument'], only.body['horizons']],
      [200, INSTRUMENT, own.body['horizons']],
      JSON.stringify(only.body),
    );
    const inferred = await replica.call('POST', `/v2/models/${MODEL}/infer`, {
      inputs: [
        { name: 'x', datatype: 'FP64', shape: [1, lookback, features], data: window.flat() },
      ],
    });
    assert.equal(inferred.status, 200, JSON.stringify(inferred.body));
    const [output] = inferred.body['outputs'] as unknown as { data: number[] }[];
    const change = (own.body['horizons'] as unknown as { change: number }[]).map((h) => h.change);
    output!.data.forEach((y, k) => assert.ok(Math.abs(Math.expm1(y) - change[k]!) < 1e-12));
  });

  it('names what is wrong: instrument, null feature, version, future', async () => {
    const cases: [unknown, number, RegExp][] = [
      [{ instrument: '^IXIC' }, 422, /answers for \^GSPC/],
      [{ version: 99 }, 404, /no version 99/],
      [{ instrument: INSTRUMENT, asOf: '2030-01-01' }, 422, /future/],
      [{ instrumnet: INSTRUMENT }, 422, /instrumnet/],
      [
        { window: [[null]], instrument: INSTRUMENT, lastClose: 1, openTime: '2020-01-03' },
        422,
        /window/,
      ],
    ];
    for (const [body, status, text] of cases) {
      const answer = await replica.call('POST', PREDICT, body);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.match(JSON.stringify(answer.body), text);
      assert.ok(answer.body['requestId']);
    }
  });

  it('lists by the time of the answer, or by what it was made as of', async () => {
    await replica.call('POST', PREDICT, {
      ...{ instrument: INSTRUMENT, asOf: '2019-12-20', confidence: 'none' },
    });
    await replica.call('POST', PREDICT, { confidence: 'none' });
    await replica.recorder.drain();
    const asOfs = async (query: string): Promise<string[]> => {
      const { status, body } = await replica.call(
        'GET',
        `/api/v1/ml-models/${MODEL}/predictions?limit=500&${query}`,
      );
      assert.equal(status, 200, JSON.stringify(body));
      const items = body['items'] as unknown as { asOf: string }[];
      return [...new Set(items.map(({ asOf }) => asOf.slice(0, 10)))];
    };
    assert.deepEqual(await asOfs('asOfFrom=2019-12-20&asOfTo=2019-12-21'), ['2019-12-20']);
    assert.ok((await asOfs('asOfFrom=2019-12-21')).includes('2020-01-03'));
    assert.ok(!(await asOfs('asOfFrom=2019-12-21')).includes('2019-12-20'));
    assert.deepEqual(await asOfs('from=2019-12-20&to=2019-12-21'), [], 'nothing was answered then');
  });

  it('records each prediction once, and lists it', async () => {
    const { body } = await replica.call('POST', PREDICT, { confidence: 'none' });
    await replica.recorder.drain();
    const rows = await listPredictions(fixture.db, { model: MODEL, limit: 50 });
    assert.equal(rows.filter((row) => row.id === String(body['id'])).length, 1);
    const listed = await replica.call('GET', `/api/v1/ml-models/${MODEL}/predictions?limit=1`);
    assert.equal(listed.status, 200, JSON.stringify(listed.body));
    assert.equal((listed.body['items'] as unknown as unknown[]).length, 1);
    assert.ok(listed.body['nextCursor']);
    const next = await replica.call(
      'GET',
      `/api/v1/ml-models/${MODEL}/predictions?limit=1&cursor=${String(listed.body['nextCursor'])}`,
    );
    assert.equal(next.status, 200);
    assert.notDeepEqual(next.body['items'], listed.body['items']);
    for (const cursor of ['2024-13-01T00:00:00.000Z', '2024-12-01T99:99Z']) {
      const path = `/api/v1/ml-models/${MODEL}/predictions?cursor=${cursor}_01JCRATCHET0000000000000AB`;
      assert.equal((await replica.call('GET', path)).status, 400, cursor);
    }
  });
});
