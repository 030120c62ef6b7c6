import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { samplesOf } from '../../../core/features/prepared.ts';
import { runFitJob } from '../../../core/models/fit-job.impl.ts';
import { transformer, transformerParams } from '../../../core/models/transformer.ts';

describe('hyperparameters of the transformer', () => {
  it('are those of the design when nothing is given', () => {
    assert.deepEqual(transformerParams.parse({}), {
      dModel: 64,
      heads: 4,
      layers: 2,
      dropout: 0.1,
      attention: 'full',
      positions: 'sinusoidal',
      pooling: 'last',
      learningRate: 0.001,
      epochs: 100,
      batchSize: 32,
      earlyStopping: { patience: 10, minDelta: 0 },
      reduceLr: { factor: 0.5, patience: 5, minDelta: 1e-4, minLearningRate: 1e-6 },
      classWeights: 'none',
      warmupSteps: 100,
      weightDecay: 0.01,
    });
  });

  it('describe every field', () => {
    for (const [name, field] of Object.entries(transformerParams.shape)) {
      assert.ok(field.description, `${name} has no description`);
    }
  });

  for (const [what, params, path] of [
    ['heads that do not part the width', { dModel: 64, heads: 5 }, 'heads'],
    ['an odd width with sinusoids', { dModel: 9, heads: 3 }, 'dModel'],
    ['no layer', { layers: 0 }, 'layers'],
    ['a dropout of 1', { dropout: 1 }, 'dropout'],
    ['attention to the past alone under another name', { attention: 'masked' }, 'attention'],
  ] as const) {
    it(`refuse ${what}`, () => {
      const { error } = transformerParams.safeParse(params);
      assert.deepEqual(
        error?.issues.map((issue) => issue.path.join('.')),
        [path],
      );
    });
  }

  it('allow an odd width with learned positions', () => {
    const params = { dModel: 9, heads: 3, positions: 'learned' };
    assert.equal(transformerParams.safeParse(params).success, true);
  });
});

const SHORT = { dModel: 8, heads: 2, feedForward: 8, epochs: 3, batchSize: 50, warmupSteps: 4 };

describe('transformer fit', { skip: withoutTensorflow }, () => {
  for (const variant of [
    { attention: 'causal' },
    { pooling: 'mean', positions: 'learned' },
    { attention: 'causal', pooling: 'mean', layers: 3 },
  ]) {
    for (const labelKind of ['forwardLogReturn', 'threeClass']) {
      it(`exports what it learnt: ${Object.values(variant).join(', ')}, ${labelKind}`, async () => {
        const prepared = plantedPrepared({ rows: 300, lookback: 6, features: 3, labelKind });
        const params = { ...SHORT, ...variant };
        const job = { family: 'transformer', params, seed: 1, prepared, multiplyByClose: false };
        const { equality, graphs } = await runFitJob(job, fitContext(prepared));
        assert.ok(equality.maxRelative <= 1e-5, `differs by ${equality.maxRelative}`);
        const { layers = 2 } = variant;
        assert.equal(graphs.monteCarlo?.noiseWidth, (1 + 2 * layers) * SHORT.dModel);
      });
    }
  }

  it('warms up and decays its weights: other rules, other weights', async () => {
    const prepared = plantedPrepared({ rows: 260 });
    const { implementation } = await transformer.load();
    const digestWith = async (changes: object): Promise<string> => {
      const model = await implementation.fit(
        transformerParams.parse({ ...SHORT, ...changes }),
        samplesOf(prepared, prepared.split.train),
        samplesOf(prepared, prepared.split.valid),
        fitContext(prepared),
      );
      model.dispose();
      return model.summary.weightsDigest;
    };
    const digests = [
      await digestWith({}),
      await digestWith({ warmupSteps: 0 }),
      await digestWith({ weightDecay: 0 }),
    ];
    assert.equal(new Set(digests).size, 3);
    assert.equal(await digestWith({}), digests[0]);
  });
});
