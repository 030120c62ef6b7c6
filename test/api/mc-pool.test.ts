import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { McPool } from '../../api/serving/mc-pool.ts';
import { windowShape } from '../../core/predict/opened.ts';
import { verifyPackage } from '../../core/packages/verify.ts';
import { expectedOf, makePackage, testKeys } from '../support/model-package.ts';

describe('the sampling thread', () => {
  it('draws what somebody waits for before what nobody does, and the same numbers for both', async () => {
    const built = await makePackage();
    const verified = verifyPackage(built.files, testKeys, expectedOf(built));
    const { noiseWidth } = verified.preprocessing.confidence;
    const pool = new McPool();
    try {
      const shape = { ...windowShape(verified), noiseWidth };
      const runner = await pool.open(verified.monteCarlo!, shape);
      const window = new Float64Array(shape.lookback * shape.features).fill(0.1);
      const order: string[] = [];
      const draw = async (name: string, background: boolean): Promise<Float64Array> => {
        const request = { window, samples: 20, noiseKey: 'key', background };
        const values = await runner.sample(request);
        order.push(name);
        return values;
      };
      const drawn = await Promise.all([
        ...['b1', 'b2', 'b3', 'b4'].map((name) => draw(name, true)),
        ...['f1', 'f2', 'f3'].map((name) => draw(name, false)),
      ]);
      // The first one found the thread free.
      assert.deepEqual(order, ['b1', 'f1', 'f2', 'f3', 'b2', 'b3', 'b4']);
      for (const values of drawn) assert.deepEqual(values, drawn[0]);
    } finally {
      await pool.close();
    }
  });

  it('draws the same numbers in whichever thread, and closes while another one begins', async () => {
    const built = await makePackage();
    const verified = verifyPackage(built.files, testKeys, expectedOf(built));
    const { noiseWidth } = verified.preprocessing.confidence;
    const pool = new McPool();
    const shape = { ...windowShape(verified), noiseWidth };
    const runner = await pool.open(verified.monteCarlo!, shape);
    const window = new Float64Array(shape.lookback * shape.features).fill(0.1);
    const sample = () => runner.sample({ window, samples: 20, noiseKey: 'key' });
    const first = await sample();
    // Long enough for a second thread to begin, and to take its share.
    const until = performance.now() + 4_000;
    while (performance.now() < until) {
      for (const values of await Promise.all([sample(), sample(), sample()])) {
        assert.deepEqual(values, first);
      }
    }
    const gone = await pool.open(verified.monteCarlo!, shape);
    await gone.release();
    await assert.rejects(gone.sample({ window, samples: 20, noiseKey: 'key' }), {
      code: 'onnx.run',
    });
    await pool.close();
    await assert.rejects(sample(), { code: 'onnx.closed' });
    const young = new McPool();
    const other = await young.open(verified.monteCarlo!, shape);
    await Promise.all([1, 2, 3].map(() => other.sample({ window, samples: 20, noiseKey: 'key' })));
    await young.close();
  });
});
