import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import { ridge, ridgeParams } from '../../../core/models/ridge.ts';

async function fit(prepared: Prepared, alphas?: number[]) {
  const { implementation } = await ridge.load();
  return implementation.fit(
    ridgeParams.parse(alphas ? { alphas } : {}),
    samplesOf(prepared, prepared.split.train),
    samplesOf(prepared, prepared.split.valid),
    fitContext(prepared),
  );
}

describe('ridge', () => {
  it('solves a system that can be solved by hand', async () => {
    const prepared: Prepared = {
      ...plantedPrepared({ features: 1, lookback: 1, horizons: [1], rows: 40 }),
      features: Float64Array.from({ length: 40 }, (_, i) => [-1, 0, 1][i % 3]!),
      labels: Float64Array.from({ length: 40 }, (_, i) => 5 + 2 * [-1, 0, 1][i % 3]!),
      split: {
        train: Int32Array.of(0, 1, 2),
        valid: Int32Array.of(3, 4, 5),
        test: Int32Array.of(6, 7, 8),
      },
      scalers: {
        features: { kind: 'none', offset: [0], factor: [1] },
        labels: { kind: 'none', offset: [0], factor: [1] },
      },
    };
    // x'x = 2, x'y = 4: slope 4 / (2 + alpha); the intercept 5 is not shrunk.
    for (const alpha of [1e-9, 2, 1e9]) {
      const model = await fit(prepared, [alpha]);
      const predicted = await model.predict(samplesOf(prepared, Int32Array.of(0, 1, 2)));
      const slope = 4 / (2 + alpha);
      [5 - slope, 5, 5 + slope].forEach((y, i) => {
        assert.ok(Math.abs(predicted[i]! - y) < 1e-9, `alpha ${alpha}: ${predicted[i]}, not ${y}`);
      });
    }
  });

  it('shrinks to the training mean on noise and hardly on a signal', async () => {
    const spread = async (signal: number): Promise<number> => {
      const prepared = plantedPrepared({ signal, features: 40, rows: 300 });
      const model = await fit(prepared);
      const predicted = await model.predict(samplesOf(prepared, prepared.split.test));
      let sum = 0;
      predicted.forEach((y, at) => (sum += (y - prepared.trainLabelMean[at % 3]!) ** 2));
      return Math.sqrt(sum / predicted.length / prepared.trainLabelVariance[0]!);
    };
    assert.ok((await spread(0)) < 0.25);
    assert.ok((await spread(0.8)) > 0.7);
  });

  it('looks at the last row of the window only', async () => {
    const prepared = plantedPrepared({});
    const model = await fit(prepared);
    const samples = samplesOf(prepared, prepared.split.test.subarray(0, 1));
    const before = await model.predict(samples);
    const features = samples.features.slice();
    const last = samples.endRow[0]! * samples.featureCount;
    features.fill(0, 0, last);
    assert.deepEqual(await model.predict({ ...samples, features }), before);
  });

  it('is not hurt by constant and repeated columns', async () => {
    const prepared = plantedPrepared({ features: 4, signal: 0.8 });
    const features = prepared.features.slice();
    for (let row = 0; row < features.length / 4; row++) {
      features[row * 4 + 1] = 7;
      features[row * 4 + 2] = features[row * 4]!;
    }
    const scaler = prepared.scalers.features;
    const scalers = {
      ...prepared.scalers,
      features: { ...scaler, factor: scaler.factor.map((f, k) => (k === 1 ? 1 : f)) },
    };
    const model = await fit({ ...prepared, features, scalers });
    const { bestValidLoss } = model.summary;
    assert.ok(bestValidLoss > 0 && bestValidLoss < 0.5, `${bestValidLoss}`);
  });

  for (const [what, alphas] of Object.entries({ none: [], zero: [0], negative: [-1] })) {
    it(`refuses ${what} as penalties`, () => {
      assert.equal(ridgeParams.safeParse({ alphas }).success, false);
    });
  }
});
