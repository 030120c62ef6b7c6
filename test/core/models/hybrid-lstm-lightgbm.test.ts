import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import { runFitJob } from '../../../core/models/fit-job.impl.ts';
import { hybridLstmLightGbm, hybridParams } from '../../../core/models/hybrid-lstm-lightgbm.ts';
import { logistic } from '../../../core/models/logistic.ts';
import type { EpochEvent, FitContext, FittedModel } from '../../../core/models/model.ts';
import { topFeatures } from '../../../core/models/trees/top-features.ts';
import { logLossOf } from '../../../core/models/network/head.ts';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { withoutTrees } from '../../support/without-trees.ts';

const BASE = { rows: 500, lookback: 4, features: 3, labelKind: 'threeClass', horizons: [1, 2] };
const prepared = plantedPrepared(BASE);
const UNITS = 6;
const SMALL = {
  lstm: { units: [UNITS], dropout: 0, recurrentDropout: 0, learningRate: 0.02, epochs: 5 },
  trees: { rounds: 40, earlyStopping: { patience: 15 } },
};

const part = (data: Prepared, name: 'train' | 'valid' | 'test') =>
  samplesOf(data, data.split[name]);

async function fit(changes: Partial<FitContext> = {}, data = prepared, asked: object = SMALL) {
  const { implementation } = await hybridLstmLightGbm.load();
  const [train, valid] = [part(data, 'train'), part(data, 'valid')];
  return implementation.fit(hybridParams.parse(asked), train, valid, fitContext(data, changes));
}

async function meanLogLoss(model: FittedModel, data: Prepared): Promise<number> {
  const test = part(data, 'test');
  const p = await model.predict(test);
  const losses = test.labels.map((label, at) => logLossOf(p[at * test.classes + label]!));
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

class Interrupted extends Error {}

describe('hybrid-lstm-lightgbm', { skip: withoutTensorflow || withoutTrees }, () => {
  it('tells the progress of both stages, rounds counting on after the epochs', async () => {
    const told: EpochEvent[] = [];
    const model = await fit({ onEpoch: (event) => told.push(event) });
    const { summary } = model;
    model.dispose();
    const network = told.filter(({ stage }) => stage === 'network');
    const trees = told.filter(({ stage }) => stage === 'trees');
    assert.equal(network.length + trees.length, told.length);
    assert.deepEqual(
      network.map(({ epoch }) => epoch),
      [1, 2, 3, 4, 5],
    );
    assert.equal(trees[0]!.epoch, 6);
    assert.equal(new Set(told.map(({ epoch }) => epoch)).size, told.length, 'no number twice');
    assert.deepEqual(summary.history.slice(0, 5), network);
    assert.equal(summary.epochsRun, summary.history.length);
    const kept = summary.history[summary.bestEpoch - 1]!;
    assert.deepEqual([kept.stage, kept.epoch], ['trees', summary.bestEpoch]);
  });

  it('goes on with the network after a crash in either stage; only the trees begin anew', async () => {
    const whole = await fit();
    for (const [epoch, batch] of [
      [3, 4],
      [5 + 10, 1],
    ] as const) {
      let checkpoint: Uint8Array | undefined;
      const interrupted = fit({
        saveCheckpoint: async (bytes) => void (checkpoint = bytes),
        onBatch: (at) => {
          if (at.epoch === epoch && at.batch === batch) throw new Interrupted();
        },
      });
      await assert.rejects(interrupted, Interrupted);
      const epochs = new Set<number>();
      const resumed = await fit({
        loadCheckpoint: async () => checkpoint,
        onBatch: (at) => epochs.add(at.epoch),
      });
      assert.equal(Math.min(...epochs), epoch > 5 ? 6 : 3, 'what was learnt is not learnt again');
      assert.equal(resumed.summary.weightsDigest, whole.summary.weightsDigest);
      assert.deepEqual(resumed.save(), whole.save());
      resumed.dispose();
    }
    whole.dispose();
  });

  it('refitted repeats the epochs, rates and rounds of its twin', async () => {
    const twin = await fit();
    const { chosen, history } = twin.summary;
    twin.dispose();
    const { implementation } = await hybridLstmLightGbm.load();
    const rows = Int32Array.from([...prepared.split.train, ...prepared.split.valid]);
    const again = await implementation.refit(
      hybridParams.parse(SMALL),
      twin.summary,
      samplesOf(prepared, rows),
      fitContext(prepared),
    );
    again.dispose();
    const [epochs] = chosen!['networkEpochs']!;
    const rates = (events: readonly EpochEvent[]) =>
      events.filter(({ stage }) => stage === 'network').map(({ learningRate }) => learningRate);
    assert.deepEqual(rates(again.summary.history), rates(history).slice(0, epochs));
    const rounds = again.summary.history.filter(({ stage }) => stage === 'trees').length;
    assert.equal(rounds, Math.max(...chosen!['rounds']!));
    const { networkEpochs: _epochs, ...lacking } = chosen!;
    const unsaid = { ...twin.summary, chosen: lacking };
    await assert.rejects(
      implementation.refit(
        hybridParams.parse(SMALL),
        unsaid,
        part(prepared, 'train'),
        fitContext(prepared),
      ),
      { code: 'training.twin' },
    );
  });

  it('is one graph that decides as the library does on the exported features', async () => {
    const job = { family: 'hybrid-lstm-lightgbm', params: SMALL, seed: 1, prepared };
    const bundle = await runFitJob({ ...job, multiplyByClose: false }, fitContext(prepared));
    assert.equal(bundle.equality.rows, prepared.split.valid.length);
    // Probabilities in double on the same decisions: no tree leads elsewhere.
    assert.ok(bundle.equality.maxRelative < 1e-12, `${bundle.equality.maxRelative}`);
    assert.deepEqual(Object.keys(bundle.libraries).toSorted(), ['lightgbm', 'tensorflow']);
    assert.ok(bundle.native);
    const top = topFeatures(bundle.summary.importance!, bundle.context.featureNames, 9);
    assert.ok(Math.abs(top.reduce((sum, { gain }) => sum + gain, 0) - 1) < 1e-9);
    assert.ok(top.some(({ feature }) => feature === `${UNITS} learnt by the network`));
  });

  it('says what bar and network contributed, and reads no altered file', async () => {
    const model = await fit();
    const { implementation } = await hybridLstmLightGbm.load();
    const test = part(prepared, 'test');
    const p = await model.predict(test);
    const native = model.nativeFile!();
    model.dispose();
    const said = await implementation.contributions!(native, test);
    assert.deepEqual([said.learned, said.horizons, said.outputs], [UNITS, 2, 3]);
    const width = BASE.features + UNITS + 1;
    assert.equal(said.values.length, p.length * width);
    const logit = (at: number): number =>
      said.values.subarray(at * width, (at + 1) * width).reduce((a, b) => a + b, 0);
    for (let at = 0; at < p.length; at += 3) {
      const apart = logit(at + 2) - logit(at);
      assert.ok(Math.abs(apart - Math.log(p[at + 2]! / p[at]!)) < 1e-9);
    }
    const learned = said.values.some((share, at) => {
      const column = at % width;
      return column >= BASE.features && column < width - 1 && share !== 0;
    });
    assert.ok(learned, 'the trees split on what the network gives');
    native[native.length >> 1]! ^= 1;
    await assert.rejects(implementation.contributions!(native, test), { code: 'bytes.corrupt' });
  });

  it('beats logistic regression on a product of two features', async () => {
    const product = plantedPrepared({
      ...{ ...BASE, rows: 1600, horizons: [1] },
      ...{ shape: 'product', signal: 0.9 },
    });
    const lstm = { ...SMALL.lstm, units: [16], learningRate: 0.01, epochs: 30 };
    const ours = await fit({}, product, { lstm, trees: { rounds: 150 } });
    const { implementation } = await logistic.load();
    const line = await implementation.fit(
      logistic.params.parse({}),
      part(product, 'train'),
      part(product, 'valid'),
      fitContext(product),
    );
    const [a, b] = [await meanLogLoss(ours, product), await meanLogLoss(line, product)];
    ours.dispose();
    assert.ok(a < 0.75 * b, `hybrid ${a}, logistic ${b}`);
  });

  it('frees the network when the trees cannot be grown', async () => {
    const { loadTensorflow } = await import('../../../core/models/network/tensorflow.impl.ts');
    const { tf } = loadTensorflow();
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const onBatch = ({ epoch }: { epoch: number }): void => {
      if (epoch === 6) controller.abort(new Interrupted());
    };
    await assert.rejects(fit({ onBatch, signal: controller.signal }), Interrupted);
    assert.equal(tf.memory().numTensors, before);
  });
});
