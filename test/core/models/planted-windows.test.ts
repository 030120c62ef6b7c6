import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared, type PlantedOptions } from '../../support/planted-prepared.ts';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import { modelFamilyOrThrow } from '../../../core/models/index.ts';
import { logLossOf } from '../../../core/models/network/head.ts';

/** Small and quick, and the same for all that is planted. */
const SMALL = {
  dModel: 16,
  heads: 2,
  layers: 1,
  feedForward: 16,
  dropout: 0,
  learningRate: 0.01,
  warmupSteps: 20,
  epochs: 30,
  batchSize: 64,
  earlyStopping: { patience: 8 },
};

const planted = (options: PlantedOptions): Prepared =>
  plantedPrepared({
    rows: 1600,
    features: 2,
    lookback: 44,
    horizons: [1],
    signal: 0.8,
    seed: 3,
    ...options,
  });

/** 1 - loss / loss of the mean (of classes: of the priors) over the test part. */
async function skill(family: string, prepared: Prepared, params: object = {}): Promise<number> {
  const descriptor = modelFamilyOrThrow(family);
  const { implementation } = await descriptor.load();
  const model = await implementation.fit(
    descriptor.params.parse(params),
    samplesOf(prepared, prepared.split.train),
    samplesOf(prepared, prepared.split.valid),
    fitContext(prepared),
  );
  const test = samplesOf(prepared, prepared.split.test);
  const predicted = await model.predict(test);
  model.dispose();
  let [ours, reference] = [0, 0];
  test.labels.forEach((y, at) => {
    if (prepared.classes) {
      ours += logLossOf(predicted[at * test.classes + y]!);
      reference += logLossOf(prepared.classes.priors[0]![y]!);
    } else {
      ours += (y - predicted[at]!) ** 2;
      reference += (y - prepared.trainLabelMean[0]!) ** 2;
    }
  });
  return 1 - ours / reference;
}

describe('what lies deep in the window', { skip: withoutTensorflow }, () => {
  it('the Transformer finds forty bars back, where ridge sees nothing', async () => {
    const prepared = planted({ shape: 'lagged' });
    const [ours, ridge] = [
      await skill('transformer', prepared, SMALL),
      await skill('ridge', prepared),
    ];
    // 80 % of the variance is planted.
    assert.ok(ours > 0.6 && ours < 0.9, `transformer ${ours}`);
    assert.ok(ridge < 0.05, `ridge ${ridge}`);
  });

  it('the Transformer finds wherever it happened, where ridge sees nothing', async () => {
    const prepared = planted({ shape: 'anywhere' });
    const [ours, ridge] = [
      await skill('transformer', prepared, SMALL),
      await skill('ridge', prepared),
    ];
    assert.ok(ours > 0.35 && ours < 0.9, `transformer ${ours}`);
    assert.ok(ridge < 0.05, `ridge ${ridge}`);
  });

  it('the Transformer finds in labels with classes, where logistic sees nothing', async () => {
    const prepared = planted({ shape: 'lagged', labelKind: 'threeClass' });
    const [ours, logistic] = [
      await skill('transformer', prepared, SMALL),
      await skill('logistic', prepared),
    ];
    assert.ok(ours > 0.25, `transformer ${ours}`);
    assert.ok(logistic < 0.05, `logistic ${logistic}`);
  });

  it('the LSTM finds a product of two features, where ridge sees nothing', async () => {
    const prepared = planted({ shape: 'product', lookback: 4 });
    const [ours, ridge] = [
      await skill('lstm-multi-horizon', prepared, {
        units: [16],
        dense: [8],
        branch: 8,
        dropout: 0,
        recurrentDropout: 0,
        learningRate: 0.01,
        epochs: 30,
        batchSize: 64,
        earlyStopping: { patience: 8 },
      }),
      await skill('ridge', prepared),
    ];
    assert.ok(ours > 0.5 && ours < 0.9, `lstm ${ours}`);
    assert.ok(ridge < 0.05, `ridge ${ridge}`);
  });

  for (const labelKind of ['forwardLogReturn', 'threeClass']) {
    it(`the Transformer finds nothing in long windows of noise: ${labelKind}`, async () => {
      const ours = await skill('transformer', planted({ signal: 0, labelKind }), SMALL);
      assert.ok(ours < 0.03 && ours > -0.2, `transformer ${ours}`);
    });
  }
});
