import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { productMissing, startProduct, type Product } from '../support/product.ts';

describe('examples/simulated.yaml', { skip: productMissing }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct();
  });
  after(() => product.end());

  it('runs through from the command line, is proved better than the naive baseline, and serves', async () => {
    const { code, stdout, stderr } = await product.cli('run', 'examples/simulated.yaml', '--watch');
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Better than the naive baseline/);
    for (const instrument of ['SIM-A', 'SIM-B']) {
      const model = `simulated-${instrument.toLowerCase()}`;
      const answer = await product.request('POST', `/api/v1/ml-models/${model}/predict`, {
        instrument,
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(answer.body['beatsNaive'], true, instrument);
    }
  });
});
