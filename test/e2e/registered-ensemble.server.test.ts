/** Registered versions as members in the whole product: two champions and a ridge become one model that answers. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const single = {
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2010-01-01' },
  features: 'daily-22',
  lookback: 10,
  label: { horizons: [1, 5] },
  baselines: ['naive'],
  seeds: [1],
};
const together = (name: string, members: readonly object[]) => ({
  ...single,
  ...{ name, model: name, family: 'ensemble', hyperparameters: { members, method: 'blending' } },
});

describe('an ensemble over champions', { skip: productMissing }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct();
  });
  after(() => product.end());

  async function completed(spec: object): Promise<void> {
    const end = await product.run(spec);
    assert.equal(end.status, 'completed', end.message);
  }

  it('is trained, names its members, and answers', async () => {
    await completed({ ...single, name: 'straight', model: 'straight', family: 'ridge' });
    const hyperparameters = { rounds: 20, numLeaves: 4 };
    const trees = { ...single, name: 'trees', model: 'trees', family: 'lightgbm', hyperparameters };
    await completed(trees);
    const members = [
      { model: 'straight', version: 'champion' },
      { model: 'trees', version: 'champion' },
      { family: 'ridge', hyperparameters: { alphas: [1000] } },
    ];
    const spec = together('together', members);
    await completed(spec);
    const { body: version } = await product.request('GET', '/api/v1/ml-models/together/versions/1');
    assert.match(JSON.stringify(version), /"version":1/);
    const report = await product.request('GET', '/api/v1/ml-models/together/versions/1/report');
    assert.match(
      String(report.body['text']),
      /Made of version 1 of straight \(ridge, .*version 1 of trees \(lightgbm, .*fitted with it/,
    );
    const ask = { instrument: '^GSPC' };
    const answer = await product.request('POST', '/api/v1/ml-models/together/predict', ask);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    // The same spec on the same bars with the same champions: nothing to do.
    const again = await product.run(spec);
    assert.equal(again.status, 'skipped', again.message);
  });

  it('goes on answering once a member is deleted', async () => {
    const retired = await product.request('DELETE', '/api/v1/ml-models/straight?force=true');
    assert.ok(retired.status < 300, JSON.stringify(retired.body));
    const ask = { instrument: '^GSPC' };
    const answer = await product.request('POST', '/api/v1/ml-models/together/predict', ask);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  });

  it('is refused with a member that knows what is tested, which the message names', async () => {
    const split = { kind: 'chronological', ratios: [0.9, 0.05, 0.05] };
    await completed({ ...single, name: 'knowing', model: 'knowing', family: 'ridge', split });
    const end = await product.run(
      together('leaky', [{ model: 'knowing', version: 1 }, { family: 'ridge' }]),
    );
    assert.equal(end.status, 'failed');
    assert.match(
      end.message,
      /version 1 of knowing has learnt labels up to .* the test part begins/,
    );
  });
});
