/** Forty markets from one spec: a model each, side by side; those that fail fail alone; all are served. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const GOOD = Array.from({ length: 38 }, (_, i) => `SIM-${String(i + 1).padStart(2, '0')}`);
/** No simulated market has this name; and one with too few bars for any sample. */
const [UNKNOWN, SHORT] = ['KRW-BTC', 'SIM-SHORT'];
const spec = {
  name: 'forty',
  model: 'sim-{instrument}',
  data: {
    sources: [{ dataset: 'simulated-momentum' }],
    instruments: [...GOOD, UNKNOWN, { id: SHORT, from: '2025-06-01' }],
    from: '2015-01-01',
    to: '2025-06-30',
  },
  features: 'daily-22',
  lookback: 5,
  label: { kind: 'forwardLogReturn', horizons: [1] },
  family: 'ridge',
  seeds: [1],
  baselines: ['naive'],
};
/** Forty times a few seconds of two busy cores. */
const LIMIT_MS = 20 * 60_000;

describe('forty markets', { skip: productMissing }, () => {
  let product: Product;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ratchet-forty-'));
    product = await startProduct();
  });
  after(async () => {
    await product.end();
    rmSync(folder, { recursive: true });
  });

  it('train side by side; the exit code and the outcome name those that failed', async () => {
    const file = join(folder, 'forty.yaml');
    writeFileSync(file, JSON.stringify(spec));
    const { code, stdout, stderr } = await product.cli('run', file, '--watch');
    assert.equal(code, 1, stdout + stderr);
    const said = stderr.replaceAll(/\s+/g, ' ');
    assert.match(
      said,
      /completed, but 2 of its models failed: sim-krw-btc \(.*simulated instruments/,
    );
    assert.match(said, /sim-sim-short \(/);
    assert.match(stdout, /sim-krw-btc: failed: no bars of KRW-BTC/);
    const { body } = await product.request(
      'GET',
      '/api/v1/ml-models?limit=100&group=sim-{instrument}',
    );
    assert.equal((body['items'] as unknown[]).length, 40, 'all in one group');
    const status = await product.request('GET', '/api/v1/ml-models/sim-krw-btc/training-status');
    assert.equal(status.body['status'], 'failed');
    const fine = await product.request('GET', '/api/v1/ml-models/sim-sim-01/training-status');
    assert.equal(fine.body['status'], 'completed');
  });

  it('each answers from its own version, for its own instrument and no other', async () => {
    const prices = new Set<number>();
    for (const instrument of GOOD) {
      const path = `/api/v1/ml-models/sim-${instrument.toLowerCase()}/predict`;
      const { status, body } = await product.request('POST', path, { instrument });
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual([body['version'], body['instrument']], [1, instrument]);
      const [{ price }] = body['horizons'] as [{ price: number }];
      prices.add(price);
    }
    assert.equal(prices.size, GOOD.length);
    const path = '/api/v1/ml-models/sim-sim-01/predict';
    const foreign = await product.request('POST', path, { instrument: 'SIM-02' });
    assert.deepEqual([foreign.status, foreign.body['code']], [422, 'predict.unknown-instrument']);
    const none = await product.request('POST', '/api/v1/ml-models/sim-krw-btc/predict', {});
    assert.deepEqual([none.status, none.body['code']], [409, 'champion.none']);
  });

  it('run again: what is there is skipped, and only the failures are left', async () => {
    const id = await product.start(spec);
    const message = await product.until(
      'the end of the second run',
      async () => {
        const { body } = await product.request('GET', `/api/v1/experiments/${id}`);
        return body['status'] === 'completed' ? String(body['message']) : undefined;
      },
      LIMIT_MS,
    );
    assert.match(message, /^2 of 40 models failed: sim-krw-btc: /);
    const { body } = await product.request('GET', '/api/v1/ml-models/sim-sim-01/versions');
    assert.equal((body['items'] as unknown[]).length, 1);
  });
});
