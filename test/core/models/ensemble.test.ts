import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import { modelFamilyOrThrow } from '../../../core/models/index.ts';
import { runFitJob } from '../../../core/models/fit-job.impl.ts';
import type { EpochEvent, FitContext, FittedModel } from '../../../core/models/model.ts';
import { logLossOf } from '../../../core/models/network/head.ts';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { withoutTrees } from '../../support/without-trees.ts';

const ensemble = modelFamilyOrThrow('ensemble');
const TREES = { family: 'lightgbm', hyperparameters: { rounds: 150, numLeaves: 8 } };
const RIDGE = { family: 'ridge' };
const LOGISTIC = { family: 'logistic' };
const LSTM = {
  family: 'lstm-multi-horizon',
  hyperparameters: {
    units: [6],
    dense: [4],
    branch: 4,
    dropout: 0,
    recurrentDropout: 0,
    learningRate: 0.02,
    epochs: 4,
  },
};
const BASE = { rows: 1500, features: 3, lookback: 3, horizons: [1, 2] };

async function fit(
  family: string,
  asked: object,
  prepared: Prepared,
  changes: Partial<FitContext> = {},
): Promise<FittedModel> {
  const descriptor = modelFamilyOrThrow(family);
  const { implementation } = await descriptor.load();
  return implementation.fit(
    descriptor.params.parse(asked),
    samplesOf(prepared, prepared.split.train),
    samplesOf(prepared, prepared.split.valid),
    fitContext(prepared, changes),
  );
}

/** 1 - loss / loss of the training mean (of classes: of the priors) over the test part. */
async function skillOf(model: FittedModel, prepared: Prepared): Promise<number> {
  const test = samplesOf(prepared, prepared.split.test);
  const said = await model.predict(test);
  let [ours, reference] = [0, 0];
  test.labels.forEach((y, at) => {
    const k = at % prepared.horizons.length;
    if (prepared.classes) {
      ours += logLossOf(said[at * test.classes + y]!);
      reference += logLossOf(prepared.classes.priors[k]![y]!);
    } else {
      ours += (y - said[at]!) ** 2;
      reference += (y - prepared.trainLabelMean[k]!) ** 2;
    }
  });
  return 1 - ours / reference;
}

async function skill(family: string, asked: object, prepared: Prepared): Promise<number> {
  const model = await fit(family, asked, prepared);
  try {
    return await skillOf(model, prepared);
  } finally {
    model.dispose();
  }
}

const METHODS = [
  { method: 'voting', voting: 'soft' },
  { method: 'voting', voting: 'weighted' },
  { method: 'voting', voting: 'weighted', weights: [3, 1] },
  { method: 'stacking' },
  { method: 'stacking', stacker: { nonNegative: false } },
  { method: 'blending' },
] as const;

describe('ensemble', { skip: withoutTrees }, () => {
  for (const [labelKind, straight] of [
    ['forwardLogReturn', RIDGE],
    ['threeClass', LOGISTIC],
  ] as const) {
    const members = [straight, TREES];
    const prepared = plantedPrepared({
      ...BASE,
      labelKind,
      features: 25,
      signal: 0.8,
      shape: 'sumAndSize',
    });
    const noise = plantedPrepared({ ...BASE, labelKind, signal: 0 });

    it(`${labelKind}: two that see different things are together better than each`, async () => {
      const each = [
        await skill(straight.family, {}, prepared),
        await skill(TREES.family, TREES.hyperparameters, prepared),
      ];
      for (const asked of [METHODS[3], METHODS[5]]) {
        const together = await skill('ensemble', { members, ...asked }, prepared);
        assert.ok(together > Math.max(...each) + 0.02, `${together}, each ${each.join(', ')}`);
      }
    });

    it(`${labelKind}: no way of combining finds anything in noise`, async () => {
      for (const asked of METHODS) {
        const ours = await skill('ensemble', { members, ...asked }, noise);
        assert.ok(ours < 0.02 && ours > -0.1, `${JSON.stringify(asked)}: ${ours}`);
      }
    });
  }

  const classes = plantedPrepared({ ...BASE, labelKind: 'threeClass', signal: 0.7 });
  const prices = plantedPrepared({ ...BASE, labelKind: 'forwardPrice', signal: 0.7 });
  for (const [prepared, members, asked] of [
    ...METHODS.map((own) => [prices, [RIDGE, TREES], own] as const),
    ...METHODS.map((own) => [classes, [LOGISTIC, TREES], own] as const),
    [classes, [LOGISTIC, TREES, TREES], { voting: 'hard' }],
  ] as const) {
    it(`one graph says what it says: ${prepared.labelKind}, ${JSON.stringify(asked)}`, async () => {
      const job = {
        family: ensemble.name,
        params: { members, ...asked },
        seed: 1,
        prepared,
        multiplyByClose: prepared.labelKind === 'forwardPrice',
      };
      const bundle = await runFitJob(job, fitContext(prepared));
      assert.ok(bundle.equality.maxRelative <= 1e-5);
      assert.ok('lightgbm' in bundle.libraries);
      assert.ok(!('xgboost' in bundle.libraries), 'only what its members depend on');
      const model = await fit(ensemble.name, job.params, prepared);
      const { implementation } = await ensemble.load();
      const rows = samplesOf(prepared, prepared.split.train);
      const context = fitContext(prepared);
      const params = ensemble.params.parse(job.params);
      const again = await implementation.refit(params, model.summary, rows, context);
      assert.equal(again.summary.weightsDigest, model.summary.weightsDigest, 'its own twin');
      const test = samplesOf(prepared, prepared.split.test);
      assert.deepEqual(await again.predict(test), await model.predict(test));
      for (const each of [model, again]) each.dispose();
    });
  }

  it('hard voting gives shares of votes, shared where two classes are as good as tied', async () => {
    const asked = { members: [LOGISTIC, TREES], voting: 'hard' };
    const model = await fit('ensemble', asked, classes);
    const test = samplesOf(classes, classes.split.test);
    const said = await model.predict(test);
    model.dispose();
    const whole = said.filter((p) => [0, 0.5, 1].includes(p));
    assert.ok(whole.length > 0.9 * said.length, 'most votes are clear');
    assert.ok(whole.includes(0.5) && whole.includes(1));
  });

  it('equal members differ by their seeds', async () => {
    const prepared = plantedPrepared(BASE);
    const model = await fit('ensemble', { members: [TREES, TREES] }, prepared);
    const [one, other] = model.summary.members!.map(({ summary }) => summary.weightsDigest);
    const alone = await fit(TREES.family, TREES.hyperparameters, prepared);
    assert.notEqual(one, other);
    assert.equal(one, alone.summary.weightsDigest, 'the first has the seed of the ensemble');
    for (const each of [model, alone]) each.dispose();
  });

  it('weights by loss are inverse to it; given ones are taken as they are', async () => {
    const prepared = plantedPrepared({ ...BASE, signal: 0.8 });
    const members = [RIDGE, { family: 'naive' }];
    const weighted = { members, method: 'voting', voting: 'weighted' };
    const chosen = await fit('ensemble', weighted, prepared);
    const given = await fit('ensemble', { ...weighted, weights: [3, 1] }, prepared);
    const { weight1, weight2 } = chosen.summary.chosen!;
    assert.ok(weight1!.every((w, k) => w > 0.7 && Math.abs(w + weight2![k]! - 1) < 1e-12));
    assert.deepEqual(given.summary.chosen, { weight1: [0.75, 0.75], weight2: [0.25, 0.25] });
  });
});

describe('training of an ensemble', { skip: withoutTrees || withoutTensorflow }, () => {
  const prepared = plantedPrepared({ ...BASE, rows: 500 });
  const asked = { members: [LSTM, RIDGE, TREES], method: 'stacking', folds: 2 };

  it('tells which member it is at, epochs counting on', async () => {
    const told: EpochEvent[] = [];
    const model = await fit('ensemble', asked, prepared, { onEpoch: (e) => told.push(e) });
    const { summary } = model;
    model.dispose();
    const stages = [...new Set(told.map(({ stage }) => stage))];
    assert.deepEqual(stages, [
      'member 1 of 3: lstm-multi-horizon',
      'member 3 of 3: lightgbm',
      'block 1 of 2, member 1: lstm-multi-horizon',
      'block 2 of 2, member 1: lstm-multi-horizon',
      'block 1 of 2, member 3: lightgbm',
      'block 2 of 2, member 3: lightgbm',
    ]);
    const epochs = told.map(({ epoch }) => epoch);
    assert.deepEqual(
      epochs,
      epochs.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(epochs).size, epochs.length, 'no number twice');
    assert.deepEqual(summary.history, told);
    assert.deepEqual(
      summary.members!.map(({ family }) => family),
      asked.members.map(({ family }) => family),
    );
  });

  it('a crash keeps finished members and goes on inside the one under way', async () => {
    const whole = await fit('ensemble', asked, prepared);
    const stageAt = new Map<string, Uint8Array>();
    let newest: Uint8Array | undefined;
    let nowMs = 0;
    for (const crash of ['member 1', 'member 3', 'block 2 of 2, member 1']) {
      const broken = fit('ensemble', asked, prepared, {
        now: () => (nowMs += 3000),
        saveCheckpoint: async (bytes) => void (newest = bytes),
        onEpoch: ({ stage, epoch }) => {
          if (stage!.startsWith(crash) && epoch > 1) throw new Error(`crashed in ${crash}`);
        },
      });
      await assert.rejects(broken, { message: `crashed in ${crash}` });
      stageAt.set(crash, newest!);
    }
    for (const [crash, checkpoint] of stageAt) {
      const told: EpochEvent[] = [];
      const resumed = await fit('ensemble', asked, prepared, {
        loadCheckpoint: async () => checkpoint,
        onEpoch: (event) => told.push(event),
      });
      assert.ok(told[0]!.stage!.startsWith(crash), `${told[0]!.stage} after a crash in ${crash}`);
      assert.equal(resumed.summary.weightsDigest, whole.summary.weightsDigest);
      assert.equal(resumed.summary.epochsRun, whole.summary.epochsRun);
      resumed.dispose();
    }
    whole.dispose();
    const other = fit('ensemble', { ...asked, folds: 3 }, prepared, {
      loadCheckpoint: async () => stageAt.get('member 3'),
    });
    await assert.rejects(other, { code: 'bytes.corrupt', message: /another fit/ });
  });
});
