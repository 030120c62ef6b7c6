import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import {
  lstmClassifier,
  lstmClassifierParams,
  type LstmClassifierParams,
} from '../../../core/models/lstm-classifier.ts';
import { logistic } from '../../../core/models/logistic.ts';
import type { FitContext, Samples } from '../../../core/models/model.ts';
import { logLossOf } from '../../../core/models/network/head.ts';

const prepared = plantedPrepared({ rows: 300, features: 3, lookback: 4, labelKind: 'threeClass' });

const small = (changes: Partial<LstmClassifierParams> = {}): LstmClassifierParams =>
  lstmClassifierParams.parse({ units: [6, 5], epochs: 4, ...changes });

async function fit(
  data: Prepared,
  params: LstmClassifierParams,
  changes: Partial<FitContext> = {},
) {
  const { implementation } = await lstmClassifier.load();
  const [train, valid] = [samplesOf(data, data.split.train), samplesOf(data, data.split.valid)];
  const model = await implementation.fit(params, train, valid, fitContext(data, changes));
  const test = samplesOf(data, data.split.test);
  const result = { summary: model.summary, predictions: await model.predict(test), test };
  model.dispose();
  return result;
}

/** Share of the rows that the k-th class is the most probable of, at the first horizon. */
function shareOfClass({ predictions, test }: Awaited<ReturnType<typeof fit>>, k: number): number {
  const width = test.horizons.length * test.classes;
  let chosen = 0;
  for (let at = 0; at < predictions.length; at += width) {
    const p = predictions.subarray(at, at + test.classes);
    if (p.indexOf(Math.max(...p)) === k) chosen += 1;
  }
  return chosen / test.endRow.length;
}

/** Mean log loss of probabilities [samples x horizons x classes]. */
function meanLogLoss(p: Float64Array, { labels, classes }: Samples): number {
  const sum = labels.reduce((total, label, at) => total + logLossOf(p[at * classes + label]!), 0);
  return sum / labels.length;
}

class Interrupted extends Error {}

describe('hyperparameters of lstm-classifier', () => {
  it('are two layers of 128 units when nothing is given', () => {
    const { units, dense, classWeights, dropout } = lstmClassifierParams.parse({});
    assert.deepEqual([units, dense, classWeights, dropout], [[128, 128], [], 'none', 0.2]);
  });

  it('describe every field', () => {
    for (const [name, field] of Object.entries(lstmClassifierParams.shape)) {
      assert.ok(field.description, `${name} has no description`);
    }
  });
});

describe('lstm-classifier fit', { skip: withoutTensorflow }, () => {
  it('goes on bit for bit after a crash inside an epoch', async () => {
    const whole = await fit(prepared, small());
    let checkpoint: Uint8Array | undefined;
    let nowMs = 0;
    const interrupted = fit(prepared, small(), {
      now: () => (nowMs += 3000),
      saveCheckpoint: async (bytes) => void (checkpoint = bytes),
      onBatch: ({ epoch, batch }) => {
        if (epoch === 2 && batch === 5) throw new Interrupted();
      },
    });
    await assert.rejects(interrupted, Interrupted);
    const resumed = await fit(prepared, small(), { loadCheckpoint: async () => checkpoint! });
    assert.ok(checkpoint);
    assert.equal(resumed.summary.weightsDigest, whole.summary.weightsDigest);
    assert.deepEqual(resumed.predictions, whole.predictions);
  });

  it('begins near the log loss of equal shares and keeps the epoch with the least on validation', async () => {
    const { summary } = await fit(prepared, small({ epochs: 12, learningRate: 0.02 }));
    const losses = summary.history.map((epoch) => epoch.validLoss!);
    assert.ok(Math.abs(losses[0]! - Math.log(3)) < 0.4, `${losses[0]}`);
    assert.equal(summary.bestValidLoss, Math.min(...losses));
    assert.equal(losses.indexOf(summary.bestValidLoss) + 1, summary.bestEpoch);
    assert.ok(summary.history.every((epoch) => epoch.validMaeByHorizon === undefined));
  });

  it('finds a rare class more often with balanced weights', async () => {
    const rare = plantedPrepared({
      ...{ rows: 700, features: 3, lookback: 4, signal: 0.3 },
      labelKind: 'binaryForwardReturn',
      horizons: [1],
    });
    const params = { units: [8], dropout: 0, recurrentDropout: 0, learningRate: 0.01, epochs: 10 };
    const shares: number[] = [];
    for (const classWeights of ['none', 'balanced'] as const) {
      shares.push(shareOfClass(await fit(rare, small({ ...params, classWeights })), 1));
    }
    const [plain, balanced] = shares as [number, number];
    assert.ok(balanced > plain + 0.1, `${balanced} against ${plain}`);
  });

  it('beats logistic regression on a product of two features, which no line can see', async () => {
    const product = plantedPrepared({
      ...{ rows: 1600, features: 3, lookback: 3, horizons: [1] },
      ...{ labelKind: 'threeClass', shape: 'product', signal: 0.9 },
    });
    const ours = await fit(
      product,
      small({ units: [16], dropout: 0, recurrentDropout: 0, learningRate: 0.01, epochs: 30 }),
    );
    const { implementation } = await logistic.load();
    const { train, valid, test } = product.split;
    const part = (rows: Int32Array) => samplesOf(product, rows);
    const line = await implementation.fit(
      logistic.params.parse({}),
      part(train),
      part(valid),
      fitContext(product),
    );
    const [a, b] = [
      meanLogLoss(ours.predictions, ours.test),
      meanLogLoss(await line.predict(part(test)), ours.test),
    ];
    const shares = Float64Array.from(
      ours.predictions,
      (_, at) => product.classes!.priors[0]![at % 3]!,
    );
    const prior = meanLogLoss(shares, ours.test);
    assert.ok(b > 0.97 * prior, `logistic ${b}, priors ${prior}`);
    assert.ok(a < 0.8 * b, `lstm ${a}, logistic ${b}`);
  });

  it('refuses labels that are no class', async () => {
    const labels = prepared.labels.slice();
    labels[prepared.split.train[5]! * 3] = 3;
    await assert.rejects(fit({ ...prepared, labels }, small()), { code: 'model.shape-mismatch' });
  });
});
