import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import type { FitBundle } from '../../../core/models/bundle.ts';
import { runFitJob } from '../../../core/models/fit-job.impl.ts';
import { modelFamilies, modelFamilyOrThrow } from '../../../core/models/index.ts';
import { fitContext } from '../../support/fit-context.ts';
import { withMarket } from '../../support/planted-market.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { withoutTrees } from '../../support/without-trees.ts';

/** Bars after the shift that `continue` learns from: the stated number within which it beats the frozen model. */
const BARS = 150;
const SHIFT_AT = 1000;
const ROWS = 1500;

const SMALL: Readonly<Record<string, object>> = {
  lightgbm: { rounds: 150, numLeaves: 8, minDataInLeaf: 5 },
  xgboost: { rounds: 150, maxDepth: 3 },
  'lstm-multi-horizon': {
    units: [8],
    dense: [8],
    branch: 4,
    dropout: 0,
    recurrentDropout: 0,
    learningRate: 0.01,
    epochs: 25,
  },
  'lstm-classifier': {
    units: [8],
    dropout: 0,
    recurrentDropout: 0,
    learningRate: 0.02,
    epochs: 15,
  },
  'policy-gradient': { hidden: 4, rollouts: 8, epochs: 40 },
  transformer: {
    dModel: 16,
    heads: 2,
    layers: 1,
    feedForward: 16,
    dropout: 0,
    learningRate: 0.01,
    warmupSteps: 10,
    epochs: 20,
    earlyStopping: { patience: 5 },
  },
};

const range = (from: number, to: number): Int32Array =>
  Int32Array.from({ length: to - from }, (_, i) => from + i);

/** Labels that move up by three of their SDs at a bar; classes that all are the highest two thirds of the time. */
function shifted(labelKind: string): { before: Prepared; after: Prepared } {
  const shape = { rows: ROWS, features: 3, lookback: 4, horizons: [1, 2], signal: 0.7, labelKind };
  const planted = plantedPrepared(shape);
  const classes = planted.classes !== undefined;
  const labels = planted.labels.map((label, at) => {
    if (at < SHIFT_AT * 2) return label;
    return classes ? Math.min(label + 1, 2) : label + 0.06;
  });
  const labelChanges = planted.labelChanges?.map((change, at) =>
    at < SHIFT_AT * 2 ? change : change + 0.06,
  );
  const parts = (from: number, cut: number, to: number, end: number) => ({
    train: range(from, cut - 2),
    valid: range(cut, to - 2),
    test: range(to, end),
  });
  const prepared = withMarket({ ...planted, labels, ...(labelChanges && { labelChanges }) });
  const late = SHIFT_AT + BARS;
  return {
    before: { ...prepared, split: parts(20, 850, SHIFT_AT, ROWS) },
    after: { ...prepared, split: parts(SHIFT_AT, late - 40, late, ROWS) },
  };
}

const jobOf = (family: string, prepared: Prepared, params: object = SMALL[family]!) => ({
  family,
  params,
  seed: 1,
  prepared,
  multiplyByClose: false,
});

/** Mean squared error, or mean shortfall of the probability of what came, over the test part. */
async function lossOf(bundle: FitBundle, prepared: Prepared): Promise<number> {
  const { implementation } = await modelFamilyOrThrow(bundle.family).load();
  const model = await implementation.restore(bundle.weights);
  const test = samplesOf(prepared, prepared.split.test);
  const said = await model.predict(test);
  model.dispose();
  const losses = test.labels.map((y, at) =>
    test.classes > 0 ? 1 - said[at * test.classes + y]! : (y - said[at]!) ** 2,
  );
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

for (const family of modelFamilies.filter(({ traits }) => traits.canContinue)) {
  const skip = withoutTrees || (family.traits.needsTensorflow && withoutTensorflow);
  describe(`a fit of ${family.name} that goes on from another`, { skip }, () => {
    for (const task of family.traits.tasks) {
      const { before, after } = shifted(task === 'regression' ? 'forwardLogReturn' : 'threeClass');

      it(`beats the frozen model ${BARS} bars after a level shift: ${task}`, async () => {
        const parent = await runFitJob(jobOf(family.name, before), fitContext(before));
        const job = { ...jobOf(family.name, after), parent };
        const child = await runFitJob(job, fitContext(after));
        const [frozen, ours] = [await lossOf(parent, after), await lossOf(child, after)];
        assert.ok(ours < 0.8 * frozen, `continued ${ours}, frozen ${frozen}`);
        assert.ok(child.equality.maxRelative <= 1e-5, 'one graph says what it says');
        assert.deepEqual(child.context.scalers, parent.context.scalers);

        const again = await runFitJob(job, fitContext(after));
        assert.equal(again.summary.weightsDigest, child.summary.weightsDigest, 'the same twice');
        const fresh = await runFitJob(jobOf(family.name, after), fitContext(after));
        assert.notEqual(fresh.summary.weightsDigest, child.summary.weightsDigest);
        const twin = await runFitJob({ ...job, twin: child.summary }, fitContext(after));
        assert.equal(twin.summary.weightsDigest, child.summary.weightsDigest, 'refitted, too');
      });
    }

    it('refuses a parent of other features', async () => {
      const { before, after } = shifted(
        family.traits.tasks.includes('regression') ? 'forwardLogReturn' : 'threeClass',
      );
      const parent = await runFitJob(jobOf(family.name, before), fitContext(before));
      const context = { ...parent.context, featureNames: ['a', 'b', 'c'] };
      const job = { ...jobOf(family.name, after), parent: { ...parent, context } };
      await assert.rejects(runFitJob(job, fitContext(after)), {
        code: 'training.parent',
        message: /other features/,
      });
    });
  });
}

describe('a fit that cannot go on from another', () => {
  it('says so', async () => {
    const { before, after } = shifted('forwardLogReturn');
    const parent = await runFitJob(jobOf('ridge', before, {}), fitContext(before));
    const job = { ...jobOf('ridge', after, {}), parent };
    await assert.rejects(runFitJob(job, fitContext(after)), {
      code: 'training.parent',
      message: /ridge always begins anew/,
    });
  });
});
