import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { RatchetError } from '../../../core/errors.ts';
import { samplesOf } from '../../../core/features/prepared.ts';
import {
  lstmMultiHorizon,
  lstmParams,
  type LstmParams,
} from '../../../core/models/lstm-multi-horizon.ts';
import { loadTensorflow } from '../../../core/models/network/tensorflow.impl.ts';
import { lossWeightsFor } from '../../../core/models/network/params.ts';
import type { EpochEvent, FitContext } from '../../../core/models/model.ts';

const prepared = plantedPrepared({ rows: 260 });
const train = samplesOf(prepared, prepared.split.train);
const valid = samplesOf(prepared, prepared.split.valid);

const small = (changes: Partial<LstmParams> = {}): LstmParams =>
  lstmParams.parse({ units: [6, 5], dense: [4], branch: 3, epochs: 4, ...changes });

async function fitSmall(params: LstmParams, changes: Partial<FitContext> = {}) {
  const { implementation } = await lstmMultiHorizon.load();
  const model = await implementation.fit(params, train, valid, fitContext(prepared, changes));
  const result = { summary: model.summary, predictions: await model.predict(valid) };
  model.dispose();
  return result;
}

/** Epoch events without what depends on the clock. */
const curve = (history: readonly EpochEvent[]) =>
  history.map(({ seconds: _seconds, rssBytes: _rss, ...rest }) => rest);

class Interrupted extends Error {}

/** Runs until `batch` of `epoch` is done, as a crash would; gives the newest checkpoint. */
async function interruptAt(params: LstmParams, epoch: number, batch: number, everyMs: number) {
  let newest: { bytes: Uint8Array; epoch: number; batch: number } | undefined;
  let nowMs = 0;
  const interrupted = fitSmall(params, {
    // A clock that makes a checkpoint due every few batches.
    now: () => (nowMs += everyMs),
    saveCheckpoint: async (bytes, at) => void (newest = { bytes, ...at }),
    onBatch: (at) => {
      if (at.epoch === epoch && at.batch === batch) throw new Interrupted();
    },
  });
  await assert.rejects(interrupted, Interrupted);
  return newest;
}

const code = (expected: string) => (error: unknown) =>
  error instanceof RatchetError && error.code === expected;

describe('hyperparameters', () => {
  it('are those of the design when nothing is given', () => {
    assert.deepEqual(lstmParams.parse({}), {
      units: [50, 50],
      dropout: 0.2,
      recurrentDropout: 0.2,
      dense: [25],
      branch: 16,
      learningRate: 0.001,
      epochs: 100,
      batchSize: 32,
      earlyStopping: { patience: 10, minDelta: 0 },
      reduceLr: { factor: 0.5, patience: 5, minDelta: 1e-4, minLearningRate: 1e-6 },
    });
  });

  it('describes every field', () => {
    for (const [name, field] of Object.entries(lstmParams.shape)) {
      assert.ok(field.description, `${name} has no description`);
    }
  });

  it('weighs three horizons as the index predictor does, other numbers equally', () => {
    assert.deepEqual(lossWeightsFor({}, 3), [0.5, 0.3, 0.2]);
    assert.deepEqual(lossWeightsFor({}, 4), [0.25, 0.25, 0.25, 0.25]);
    assert.deepEqual(lossWeightsFor({ lossWeights: [1, 2] }, 2), [1, 2]);
  });

  it('says what to do when the weights do not match the horizons', () => {
    assert.throws(() => lossWeightsFor({ lossWeights: [0.5, 0.5] }, 3), {
      code: 'model.loss-weights',
      permanent: true,
      message: /lossWeights has 2 values, label.horizons has 3/,
    });
  });

  for (const [what, params] of Object.entries({
    'a misspelt key': { epoch: 3 },
    'no layer': { units: [] },
    'a dropout of 1': { dropout: 1 },
    'a negative learning rate': { learningRate: -1 },
    'weights that are all zero': { lossWeights: [0, 0, 0] },
    'half an epoch': { epochs: 1.5 },
  })) {
    it(`refuses ${what}`, () => assert.equal(lstmParams.safeParse(params).success, false));
  }
});

describe('lstm fit', { skip: withoutTensorflow }, () => {
  for (const [where, epoch, batch, everyMs] of [
    ['inside the first epoch, before any checkpoint', 1, 2, 0],
    ['inside the third epoch, from the end of the second', 3, 2, 0],
    ['inside the second epoch, from a checkpoint inside it', 2, 5, 3000],
  ] as const) {
    it(`goes on bit for bit after a crash ${where}`, async () => {
      const params = small({
        reduceLr: { factor: 0.5, patience: 1, minDelta: 0, minLearningRate: 0 },
      });
      const whole = await fitSmall(params);
      const checkpoint = await interruptAt(params, epoch, batch, everyMs);
      assert.equal(checkpoint === undefined, epoch === 1);
      if (everyMs > 0) assert.ok(checkpoint!.epoch === 2 && checkpoint!.batch > 0, 'mid-epoch');
      const resumed = await fitSmall(params, { loadCheckpoint: async () => checkpoint?.bytes });
      assert.equal(resumed.summary.weightsDigest, whole.summary.weightsDigest);
      assert.deepEqual(resumed.predictions, whole.predictions);
      assert.deepEqual(curve(resumed.summary.history), curve(whole.summary.history));
      assert.equal(resumed.summary.bestEpoch, whole.summary.bestEpoch);
    });
  }

  it('keeps counting towards the plateau and the stop after a crash', async () => {
    // Nothing counts as better than the first epoch: the rate falls after two more, the end comes
    // after three, and forgotten counters would move both.
    const params = small({
      epochs: 8,
      earlyStopping: { patience: 3, minDelta: 1e6 },
      reduceLr: { factor: 0.5, patience: 2, minDelta: 1e6, minLearningRate: 0 },
    });
    const whole = await fitSmall(params);
    assert.deepEqual(
      whole.summary.history.map((event) => event.learningRate),
      [0.001, 0.001, 0.001, 0.0005],
    );
    const checkpoint = await interruptAt(params, 3, 2, 0);
    const resumed = await fitSmall(params, { loadCheckpoint: async () => checkpoint!.bytes });
    assert.deepEqual(curve(resumed.summary.history), curve(whole.summary.history));
    assert.equal(resumed.summary.bestEpoch, 1);
    assert.equal(resumed.summary.weightsDigest, whole.summary.weightsDigest);
  });

  it('only takes the best weights from a checkpoint of a training that was over', async () => {
    let last: Uint8Array | undefined;
    const whole = await fitSmall(small(), { saveCheckpoint: async (b) => void (last = b) });
    const epochs: number[] = [];
    const again = await fitSmall(small(), {
      loadCheckpoint: async () => last,
      onEpoch: ({ epoch }) => epochs.push(epoch),
    });
    assert.deepEqual(epochs, []);
    assert.equal(again.summary.weightsDigest, whole.summary.weightsDigest);
  });

  it('goes on with more epochs bit for bit from a checkpoint that had used up fewer', async () => {
    let last: Uint8Array | undefined;
    const saveCheckpoint = async (bytes: Uint8Array): Promise<void> => void (last = bytes);
    await fitSmall(small({ epochs: 2 }), { saveCheckpoint });
    const begun: number[] = [];
    const longer = await fitSmall(small({ epochs: 5 }), {
      loadCheckpoint: async () => last,
      onEpoch: ({ epoch }) => begun.push(epoch),
    });
    const whole = await fitSmall(small({ epochs: 5 }));
    assert.deepEqual(begun, [3, 4, 5]);
    assert.equal(longer.summary.weightsDigest, whole.summary.weightsDigest);
    assert.deepEqual(curve(longer.summary.history), curve(whole.summary.history));
  });

  it('does not go on with more epochs where the patience had ended', async () => {
    let last: Uint8Array | undefined;
    const earlyStopping = { patience: 1, minDelta: 1e5 };
    const params = { epochs: 3, earlyStopping };
    const saveCheckpoint = async (bytes: Uint8Array): Promise<void> => void (last = bytes);
    const short = await fitSmall(small(params), { saveCheckpoint });
    assert.equal(short.summary.epochsRun, 2);
    const longer = await fitSmall(small({ ...params, epochs: 9 }), {
      loadCheckpoint: async () => last,
    });
    assert.equal(longer.summary.weightsDigest, short.summary.weightsDigest);
    assert.equal(longer.summary.epochsRun, 2);
  });

  it('refuses a checkpoint that is damaged or of another fit', async () => {
    const params = small();
    const { bytes } = (await interruptAt(params, 2, 2, 0))!;
    const damaged = bytes.slice();
    damaged[bytes.length >> 1]! ^= 1;
    for (const bad of [damaged, bytes.subarray(0, 1000), new Uint8Array(0)]) {
      const resumed = fitSmall(params, { loadCheckpoint: async () => bad });
      await assert.rejects(resumed, code('bytes.corrupt'));
    }
    const other = fitSmall(params, { seed: 2, loadCheckpoint: async () => bytes });
    await assert.rejects(other, code('bytes.corrupt'));
  });

  it('waits for a checkpoint to be durable before it sends the next', async () => {
    let open = 0;
    let most = 0;
    await fitSmall(small(), {
      saveCheckpoint: async () => {
        most = Math.max(most, ++open);
        await new Promise((resolve) => setImmediate(resolve));
        open -= 1;
      },
    });
    assert.equal(most, 1);
    assert.equal(open, 0, 'all durable before the fit is over');
  });

  it('fails when a checkpoint is refused, and releases its tensors', async () => {
    const { tf } = loadTensorflow();
    const before = tf.memory().numTensors;
    const refused = fitSmall(small(), {
      saveCheckpoint: async () => Promise.reject(new RatchetError('training.fenced-off', 'late')),
    });
    await assert.rejects(refused, code('training.fenced-off'));
    assert.equal(tf.memory().numTensors, before);
  });

  it('names a loss that becomes NaN as a permanent failure', async () => {
    const scalers = {
      ...prepared.scalers,
      labels: { ...prepared.scalers.labels, factor: [1e30, 1e30, 1e30] },
    };
    await assert.rejects(fitSmall(small(), { scalers }), {
      code: 'training.nan-loss',
      permanent: true,
      message: /epoch 1, batch 1.*learningRate/,
    });
  });

  it('stops when cancelled, in the middle of an epoch', async () => {
    const abort = new AbortController();
    let batches = 0;
    const cancelled = fitSmall(small(), {
      signal: abort.signal,
      onBatch: () => {
        if (++batches === 3) abort.abort(new Interrupted());
      },
    });
    await assert.rejects(cancelled, Interrupted);
    assert.equal(batches, 3);
  });

  it('stops early, lowers the rate on a plateau and gives back the best weights', async () => {
    const { summary } = await fitSmall(
      small({
        epochs: 60,
        learningRate: 0.05,
        earlyStopping: { patience: 4, minDelta: 0 },
        reduceLr: { factor: 0.1, patience: 2, minDelta: 0, minLearningRate: 1e-6 },
      }),
    );
    assert.ok(summary.epochsRun < 60);
    assert.equal(summary.epochsRun, summary.bestEpoch + 4);
    const losses = summary.history.map((event) => event.validLoss!);
    assert.equal(summary.bestValidLoss, Math.min(...losses));
    assert.ok(summary.history.at(-1)!.learningRate < 0.05 * 0.11);
  });

  it('reports the loss as the weighted sum over horizons', async () => {
    const { summary } = await fitSmall(small({ lossWeights: [0.6, 0.3, 0.1], epochs: 1 }));
    const [event] = summary.history;
    const weighted = (mse: readonly number[]) => 0.6 * mse[0]! + 0.3 * mse[1]! + 0.1 * mse[2]!;
    assert.ok(Math.abs(event!.loss - weighted(event!.lossByHorizon)) < 1e-12);
    assert.ok(Math.abs(event!.validLoss! - weighted(event!.validLossByHorizon!)) < 1e-12);
  });
});
