import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startApi } from '../support/api-process.ts';
import type { ApiProcess } from '../support/api-process.ts';
import { productMissing, smallSpec, startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { rounds } from '../support/rounds.ts';

const PROMOTIONS = rounds(10, 100);
const ANSWERS = PROMOTIONS === 100 ? 10_000 : 1_000;
const CLIENTS = 8;
const REQUESTS_PER_SECOND = 200;

interface Answer {
  readonly status: number;
  readonly version: number;
  readonly generation: number;
  /** ms after the start of the load. */
  readonly sentAt: number;
}

describe('promotions under load, two API replicas', { skip: productMissing }, () => {
  let product: Product;
  let second: ApiProcess;
  before(async () => {
    product = await startProduct();
    for (const forceRetrain of [false, true]) {
      const end = await product.run({ ...smallSpec, forceRetrain });
      assert.equal(end.status, 'completed', end.message);
    }
    second = await startApi(product.stack);
  });
  after(async () => {
    await second.end();
    await product.end();
  });

  const ask = async (url: string, begin: number): Promise<Answer> => {
    const sentAt = performance.now() - begin;
    const response = await fetch(`${url}/api/v1/ml-models/small/predict`, {
      method: 'POST',
      headers: { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ instrument: '^GSPC', confidence: 'none' }),
    });
    const body = (await response.json()) as { version: number; generation: number };
    return { status: response.status, sentAt, version: body.version, generation: body.generation };
  };

  const promote = async (version: number): Promise<void> => {
    const path = '/api/v1/ml-models/small';
    const started = await product.request('POST', `${path}/promote`, { version });
    assert.equal(started.status, 202, JSON.stringify(started.body));
    const id = started.body['promotionId'];
    await product.until(`promotion ${String(id)}`, async () => {
      const { body } = await product.request('GET', `${path}/champion`);
      const last = body['lastPromotion'] as { id: string; status: string };
      if (last.id !== id || last.status === 'announced') return undefined;
      assert.equal(last.status, 'promoted', JSON.stringify(last));
      return true;
    });
  };

  it(`${PROMOTIONS} promotions, at least ${ANSWERS} answers, none failed`, async (t) => {
    const answers: Answer[] = [];
    const begin = performance.now();
    let promoting = true;
    const client = async (index: number): Promise<void> => {
      const url = index % 2 === 0 ? product.url : second.url;
      const everyMs = (CLIENTS / REQUESTS_PER_SECOND) * 1000;
      for (let k = 0; promoting || answers.length < ANSWERS; k++) {
        // A fixed rate: a slow answer does not slow the load down.
        const due = begin + k * everyMs - performance.now();
        if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
        answers.push(await ask(url, begin));
      }
    };
    const load = Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
    for (let k = 0; k < PROMOTIONS; k++) await promote(k % 2 === 0 ? 2 : 1);
    promoting = false;
    await load;
    const seconds = (performance.now() - begin) / 1000;
    const rate = answers.length / seconds;
    t.diagnostic(
      `${answers.length} answers in ${seconds.toFixed(1)} s, ${rate.toFixed(0)} a second, ` +
        `${PROMOTIONS} promotions, ${(seconds / PROMOTIONS).toFixed(2)} s each`,
    );
    const failed = answers.filter(({ status }) => status !== 200);
    assert.deepEqual(failed, []);
    assert.ok(answers.length >= ANSWERS);
    // Generation g serves what promotion g made champion: 1 first, then 2, 1, 2, ... by turns.
    const mixed = answers.filter(
      ({ version, generation }) =>
        version !== (generation === 1 ? 1 : generation % 2 === 0 ? 2 : 1),
    );
    assert.deepEqual(mixed, [], 'each answer names the version of its generation');
    const generations = new Set(answers.map(({ generation }) => generation));
    assert.ok(generations.size > PROMOTIONS / 2, `${generations.size} generations answered`);
  });

  it('of two promotions at once, one is refused with 409', async () => {
    const path = '/api/v1/ml-models/small/promote';
    const both = await Promise.all([
      product.request('POST', path, { version: 1 }),
      product.request('POST', path, { version: 2 }),
    ]);
    assert.deepEqual(new Set(both.map(({ status }) => status)), new Set([202, 409]));
  });
});
