import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { fitContext } from '../support/fit-context.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { RatchetError } from '../../core/errors.ts';
import { samplesOf, type Prepared } from '../../core/features/prepared.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { modelFamilies, modelFamilyOrThrow } from '../../core/models/index.ts';
import type {
  FitContext,
  FitSummary,
  FittedModel,
  ModelDescriptor,
} from '../../core/models/model.ts';
import { loadTensorflow } from '../../core/models/network/tensorflow.impl.ts';

/** Hyperparameters that make a fit short; a family that is not here runs with its defaults. */
const SHORT: Readonly<Record<string, unknown>> = {
  'lstm-multi-horizon': {
    units: [8],
    dense: [8],
    branch: 4,
    dropout: 0.05,
    recurrentDropout: 0,
    learningRate: 0.01,
    epochs: 25,
  },
};

/** Checks a family is not held to, and why. */
const SKIPPED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  naive: { 'beats the mean on a planted signal': 'it learns nothing, by definition' },
};

const planted = plantedPrepared({ rows: 700, lookback: 4, features: 3, signal: 0.7 });
const noise = plantedPrepared({ rows: 700, lookback: 4, features: 3, signal: 0 });

async function fit(
  family: ModelDescriptor,
  prepared: Prepared,
  changes: Partial<FitContext> = {},
): Promise<FittedModel> {
  const { implementation } = await family.load();
  return implementation.fit(
    family.params.parse(SHORT[family.name] ?? {}),
    samplesOf(prepared, prepared.split.train),
    samplesOf(prepared, prepared.split.valid),
    fitContext(prepared, changes),
  );
}

/** The fit of `twin` again on these rows, in the twin's scalers. */
async function refit(
  family: ModelDescriptor,
  twin: FitSummary,
  rows: Int32Array,
  changes: Partial<FitContext> = {},
): Promise<FittedModel> {
  const { implementation } = await family.load();
  const params = family.params.parse(SHORT[family.name] ?? {});
  const context = fitContext(planted, changes);
  return implementation.refit(params, twin, samplesOf(planted, rows), context);
}

/** All samples of the planted data, in order of time. */
const allRows = Int32Array.from([
  ...planted.split.train,
  ...planted.split.valid,
  ...planted.split.test,
]);

/** 1 - MSE / MSE of the training mean, over the test part and all horizons. */
async function skillAgainstMean(model: FittedModel, prepared: Prepared): Promise<number> {
  const test = samplesOf(prepared, prepared.split.test);
  const predicted = await model.predict(test);
  const horizons = prepared.horizons.length;
  let [ours, mean] = [0, 0];
  test.labels.forEach((y, at) => {
    ours += (y - predicted[at]!) ** 2;
    mean += (y - prepared.trainLabelMean[at % horizons]!) ** 2;
  });
  return 1 - ours / mean;
}

/** The prepared data with one feature value of a training window made NaN. */
function withNan(prepared: Prepared): Prepared {
  const features = prepared.features.slice();
  features[prepared.split.train[20]! * prepared.featureNames.length] = NaN;
  return { ...prepared, features };
}

/** Runs the check unless the family has a reason not to be held to it. */
function check(family: ModelDescriptor, name: string, run: () => Promise<void>): void {
  const reason = SKIPPED[family.name]?.[name];
  it(name, reason === undefined ? {} : { skip: reason }, run);
}

describe('catalogue of model families', () => {
  it('has unique names and says what there is when asked for another', () => {
    const names = modelFamilies.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.throws(() => modelFamilyOrThrow('lstm'), {
      code: 'model.unknown-family',
      message: /"lstm".*lstm-multi-horizon, ridge, naive/,
    });
  });
});

for (const family of modelFamilies) {
  const skip = family.traits.needsTensorflow ? withoutTensorflow : false;
  describe(`model family ${family.name}`, { skip }, () => {
    check(family, 'has defaults for all hyperparameters and refuses unknown ones', async () => {
      assert.equal(family.params.safeParse({}).success, true);
      assert.equal(family.params.safeParse({ noSuchParameter: 1 }).success, false);
      assert.ok(family.docs.length > 0);
    });

    check(family, 'gives the same bits for the same seed, fitted once or twice', async () => {
      const [first, second] = [await fit(family, planted), await fit(family, planted)];
      assert.equal(first.summary.weightsDigest, second.summary.weightsDigest);
      const samples = samplesOf(planted, planted.split.test);
      assert.deepEqual(await first.predict(samples), await second.predict(samples));
      first.dispose();
      second.dispose();
    });

    check(family, 'depends on the seed exactly when it says so', async () => {
      const [first, second] = [
        await fit(family, planted, { seed: 1 }),
        await fit(family, planted, { seed: 2 }),
      ];
      const same = first.summary.weightsDigest === second.summary.weightsDigest;
      assert.equal(same, !family.traits.stochastic);
      first.dispose();
      second.dispose();
    });

    check(family, 'predicts the same after save and restore', async () => {
      const model = await fit(family, planted);
      const { implementation } = await family.load();
      const restored = await implementation.restore(model.save());
      const samples = samplesOf(planted, planted.split.test);
      assert.deepEqual(await restored.predict(samples), await model.predict(samples));
      assert.deepEqual(restored.summary, model.summary);
      assert.deepEqual(restored.save(), model.save());
      model.dispose();
      restored.dispose();
    });

    check(family, 'refitted on the rows of its fit it is that fit, bit for bit', async () => {
      const twin = await fit(family, planted);
      const again = await refit(family, twin.summary, planted.split.train);
      assert.equal(again.summary.weightsDigest, twin.summary.weightsDigest);
      const samples = samplesOf(planted, planted.split.test);
      assert.deepEqual(await again.predict(samples), await twin.predict(samples));
      twin.dispose();
      again.dispose();
    });

    check(family, 'refitted on more rows it chooses nothing anew, the same twice', async () => {
      const model = await fit(family, planted);
      const twin = model.summary;
      const [first, second] = [
        await refit(family, twin, allRows),
        await refit(family, twin, allRows),
      ];
      assert.equal(first.summary.weightsDigest, second.summary.weightsDigest);
      assert.equal(first.summary.bestEpoch, twin.bestEpoch);
      assert.deepEqual(first.summary.chosen, twin.chosen);
      assert.equal(first.summary.bestValidLoss, twin.bestValidLoss, "of its twin's validation");
      assert.ok(first.summary.history.every((epoch) => epoch.validLoss === undefined));
      assert.deepEqual(
        first.summary.history.map(({ learningRate }) => learningRate),
        twin.history.slice(0, twin.bestEpoch).map(({ learningRate }) => learningRate),
      );
      // What has learnt anything from the first rows learns something else from more of them.
      const learns = SKIPPED[family.name]?.['beats the mean on a planted signal'] === undefined;
      assert.equal(first.summary.weightsDigest !== twin.weightsDigest, learns);
      const { implementation } = await family.load();
      const restored = await implementation.restore(first.save());
      assert.deepEqual(restored.summary, first.summary);
      for (const each of [model, first, second, restored]) each.dispose();
    });

    check(family, 'refuses a refit of rows that are not finite, and of none', async () => {
      const model = await fit(family, planted);
      const { summary } = model;
      model.dispose();
      const { implementation } = await family.load();
      const params = family.params.parse(SHORT[family.name] ?? {});
      const samples = samplesOf(withNan(planted), planted.split.train);
      await assert.rejects(implementation.refit(params, summary, samples, fitContext(planted)), {
        code: 'training.not-finite',
      });
      await assert.rejects(refit(family, summary, new Int32Array(0)), {
        code: 'training.no-samples',
      });
    });

    check(family, 'exports a refit whose graph says what it says', async () => {
      const job = {
        family: family.name,
        params: SHORT[family.name] ?? {},
        seed: 1,
        prepared: planted,
        multiplyByClose: false,
      };
      const { summary: twin } = await runFitJob(job, fitContext(planted));
      const none = new Int32Array(0);
      const prepared = { ...planted, split: { train: allRows, valid: none, test: none } };
      const bundle = await runFitJob({ ...job, prepared, twin }, fitContext(prepared));
      assert.equal(bundle.equality.rows, allRows.length);
      assert.ok(bundle.equality.maxRelative <= 1e-5);
      assert.equal(bundle.probes.rows.length, 32);
      assert.deepEqual(
        [bundle.probes.rows.at(0), bundle.probes.rows.at(-1)],
        [allRows.at(0), allRows.at(-1)],
      );
    });

    check(family, 'refuses saved bytes with one bit flipped', async () => {
      const model = await fit(family, planted);
      const { implementation } = await family.load();
      const bytes = model.save();
      model.dispose();
      bytes[bytes.length >> 1]! ^= 4;
      await assert.rejects(implementation.restore(bytes), { code: 'bytes.corrupt' });
    });

    check(family, 'refuses NaN in a feature, a label, and an empty part', async () => {
      await assert.rejects(fit(family, withNan(planted)), { code: 'training.not-finite' });
      const labels = planted.labels.slice();
      labels[planted.split.valid[3]! * planted.horizons.length] = NaN;
      await assert.rejects(fit(family, { ...planted, labels }), { code: 'training.not-finite' });
      const split = { ...planted.split, valid: new Int32Array(0) };
      await assert.rejects(fit(family, { ...planted, split }), (error: unknown) => {
        return error instanceof RatchetError && error.code === 'training.no-samples';
      });
    });

    check(family, 'does not change its inputs', async () => {
      const before = [planted.features.slice(), planted.labels.slice()];
      (await fit(family, planted)).dispose();
      assert.deepEqual([planted.features, planted.labels], before);
    });

    check(family, 'beats the mean on a planted signal', async () => {
      const model = await fit(family, planted);
      const skill = await skillAgainstMean(model, planted);
      model.dispose();
      // 70 % of the variance is planted.
      assert.ok(skill > 0.3 && skill < 0.85, `skill ${skill}`);
    });

    check(family, 'does not beat the mean on noise', async () => {
      const model = await fit(family, noise);
      const skill = await skillAgainstMean(model, noise);
      model.dispose();
      assert.ok(skill < 0.05 && skill > -0.3, `skill ${skill}`);
    });

    check(family, 'exports a graph that says what the model says', async () => {
      for (const labelKind of ['forwardLogReturn', 'forwardPrice']) {
        const prepared = plantedPrepared({ rows: 300, lookback: 4, features: 3, labelKind });
        const bundle = await runFitJob(
          {
            family: family.name,
            params: SHORT[family.name] ?? {},
            seed: 1,
            prepared,
            multiplyByClose: labelKind === 'forwardPrice',
          },
          fitContext(prepared),
        );
        assert.equal(bundle.equality.rows, prepared.split.valid.length);
        assert.ok(bundle.equality.maxRelative <= 1e-5);
        assert.equal(bundle.graphs.monteCarlo !== undefined, family.traits.monteCarlo);
        assert.equal(bundle.probes.rows.length, 32);
        assert.equal(bundle.probes.predictions.length, 32 * prepared.horizons.length);
      }
    });

    check(family, 'releases its tensors', async () => {
      if (!family.traits.needsTensorflow) return;
      const { tf } = loadTensorflow();
      const before = tf.memory().numTensors;
      const model = await fit(family, planted);
      await model.predict(samplesOf(planted, planted.split.test));
      model.dispose();
      assert.equal(tf.memory().numTensors, before);
    });
  });
}
