import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { fitContext } from '../support/fit-context.ts';
import { withMarket } from '../support/planted-market.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { RatchetError } from '../../core/errors.ts';
import { outputsOf, samplesOf, type Prepared } from '../../core/features/prepared.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import type {
  FitContext,
  FitSummary,
  FittedModel,
  ModelDescriptor,
  ModelTask,
  Samples,
} from '../../core/models/model.ts';
import { logLossOf } from '../../core/models/network/head.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { OnnxSession } from '../../core/onnx/session.ts';
import { withinBounds } from '../../core/scaling/index.ts';
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
  'lstm-classifier': {
    units: [8],
    dropout: 0.05,
    recurrentDropout: 0,
    learningRate: 0.02,
    epochs: 15,
  },
  'hybrid-lstm-lightgbm': {
    lstm: { units: [8], dropout: 0.05, recurrentDropout: 0, learningRate: 0.02, epochs: 6 },
    trees: { rounds: 60, earlyStopping: { patience: 20 } },
  },
  // Members of both tasks; others have a test of their own.
  ensemble: {
    members: [
      { family: 'lightgbm', hyperparameters: { rounds: 40 } },
      { family: 'xgboost', hyperparameters: { rounds: 40 } },
    ],
    method: 'stacking',
    folds: 2,
  },
  'policy-gradient': { hidden: 4, rollouts: 4, episodeBars: 100, epochs: 8 },
  transformer: {
    dModel: 16,
    heads: 2,
    layers: 1,
    feedForward: 16,
    dropout: 0,
    learningRate: 0.01,
    warmupSteps: 10,
    epochs: 20,
    batchSize: 100,
    earlyStopping: { patience: 5 },
  },
};

/** Checks a family is not held to, and why. */
const SKIPPED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  naive: {
    'learns something else from more rows': 'it learns nothing, by definition',
    'beats the reference on a planted signal': 'it learns nothing, by definition',
    'does not beat the reference on noise': 'it is a reference itself, and certain of its class',
  },
  'hybrid-lstm-lightgbm': {
    'refitted it trains the epochs of its twin at the same rates':
      'it has two stages: its own test looks at both',
  },
  ensemble: {
    'refitted it trains the epochs of its twin at the same rates':
      'it has as many trainings as members: its own test looks at them',
  },
  'policy-gradient': {
    'beats the reference on a planted signal':
      'its probabilities are those of actions: its own test holds what they bring against holding and the majority',
  },
  majority: { 'beats the reference on a planted signal': 'it is the reference' },
};

/** Kinds of label of a task: the graph must say what the model says for each. */
const KINDS: Readonly<Record<ModelTask, readonly [string, ...string[]]>> = {
  regression: ['forwardLogReturn', 'forwardPrice'],
  classification: ['threeClass', 'binaryForwardReturn'],
};

const BASE = { rows: 700, lookback: 4, features: 3 };
const DATA = {
  regression: dataOf('regression'),
  classification: dataOf('classification'),
};
type Data = (typeof DATA)[ModelTask];

function dataOf(task: ModelTask) {
  const [labelKind] = KINDS[task];
  return {
    planted: withMarket(plantedPrepared({ ...BASE, labelKind, signal: 0.7 })),
    noise: withMarket(plantedPrepared({ ...BASE, labelKind, signal: 0 })),
  };
}

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
  planted: Prepared,
  rows: Int32Array,
  changes: Partial<FitContext> = {},
): Promise<FittedModel> {
  const { implementation } = await family.load();
  const params = family.params.parse(SHORT[family.name] ?? {});
  const context = fitContext(planted, changes);
  return implementation.refit(params, twin, samplesOf(planted, rows), context);
}

/** All samples of the planted data, in order of time. */
const allRowsOf = ({ split }: Prepared): Int32Array =>
  Int32Array.from([...split.train, ...split.valid, ...split.test]);

/** 1 - loss / loss of the reference over the test part and all horizons: MSE and the training mean, log loss and the priors. */
async function skillAgainstReference(model: FittedModel, prepared: Prepared): Promise<number> {
  const test = samplesOf(prepared, prepared.split.test);
  const predicted = await model.predict(test);
  const horizons = prepared.horizons.length;
  let [ours, reference] = [0, 0];
  test.labels.forEach((y, at) => {
    const k = at % horizons;
    if (prepared.classes) {
      ours += logLossOf(predicted[at * test.classes + y]!);
      reference += logLossOf(prepared.classes.priors[k]![y]!);
    } else {
      ours += (y - predicted[at]!) ** 2;
      reference += (y - prepared.trainLabelMean[k]!) ** 2;
    }
  });
  return 1 - ours / reference;
}

/** The prepared data with one feature value of a training window made NaN. */
function withNan(prepared: Prepared): Prepared {
  const features = prepared.features.slice();
  features[prepared.split.train[20]! * prepared.featureNames.length] = NaN;
  return { ...prepared, features };
}

/** The prepared data with outliers of features held within 1.5 SD, and labels too where they are quantities. */
function withBounds(prepared: Prepared): Prepared {
  const { features } = prepared.scalers;
  const reach = (sign: number): number[] =>
    features.offset.map((mean, k) => mean + (sign * 1.5) / features.factor[k]!);
  const scalers = {
    ...prepared.scalers,
    features: { ...features, bounds: { low: reach(-1), high: reach(1) } },
  };
  if (prepared.classes) return { ...prepared, scalers };
  const sds = prepared.trainLabelVariance.map(Math.sqrt);
  const label = (sign: number): number[] =>
    prepared.trainLabelMean.map((mean, k) => mean + sign * 2 * sds[k]!);
  return { ...prepared, scalers, labelBounds: { low: label(-1), high: label(1) } };
}

/** A value beyond its bound moved far away from it. */
const farther = (x: number, bound: number): number => (x === bound ? x : x + (x - bound) * 1e6);

/** What a graph says of each window. */
async function graphOf(session: OnnxSession, samples: Samples): Promise<number[]> {
  const { features, featureCount, lookback, endRow } = samples;
  const out: number[] = [];
  for (const end of endRow) {
    const data = features.slice((end - lookback + 1) * featureCount, (end + 1) * featureCount);
    out.push(...(await session.run({ x: { data, dims: [1, lookback, featureCount] } })));
  }
  return out;
}

/** Reason to skip a family whose native library set-up could not provide, or `false`. */
async function lackingLibrary(family: ModelDescriptor): Promise<string | false> {
  const { implementation } = await family.load();
  try {
    implementation.libraries?.(family.params.parse(SHORT[family.name] ?? {}));
    return false;
  } catch (error) {
    if (!(error instanceof RatchetError)) throw error;
    return error.message;
  }
}

/** Runs the check unless the family has a reason not to be held to it. */
function check(family: ModelDescriptor, name: string, run: () => Promise<void>): void {
  const reason = SKIPPED[family.name]?.[name];
  it(name, reason === undefined ? {} : { skip: reason }, run);
}

function suite(
  family: ModelDescriptor,
  task: ModelTask,
  { planted, noise }: Data,
  skip: string | false,
): void {
  const allRows = allRowsOf(planted);
  describe(`model family ${family.name}, ${task}`, { skip }, () => {
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
      const again = await refit(family, twin.summary, planted, planted.split.train);
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
        await refit(family, twin, planted, allRows),
        await refit(family, twin, planted, allRows),
      ];
      assert.equal(first.summary.weightsDigest, second.summary.weightsDigest);
      assert.deepEqual(first.summary.chosen, twin.chosen);
      assert.equal(first.summary.bestValidLoss, twin.bestValidLoss, "of its twin's validation");
      assert.ok(first.summary.history.every((epoch) => epoch.validLoss === undefined));
      const { implementation } = await family.load();
      const restored = await implementation.restore(first.save());
      assert.deepEqual(restored.summary, first.summary);
      for (const each of [model, first, second, restored]) each.dispose();
    });

    check(family, 'refitted it trains the epochs of its twin at the same rates', async () => {
      const twin = await fit(family, planted);
      const again = await refit(family, twin.summary, planted, allRows);
      const { bestEpoch, history } = twin.summary;
      assert.equal(again.summary.bestEpoch, bestEpoch);
      assert.deepEqual(
        again.summary.history.map(({ learningRate }) => learningRate),
        history.slice(0, bestEpoch).map(({ learningRate }) => learningRate),
      );
      for (const each of [twin, again]) each.dispose();
    });

    check(family, 'learns something else from more rows', async () => {
      const twin = await fit(family, planted);
      const refitted = await refit(family, twin.summary, planted, allRows);
      assert.notEqual(refitted.summary.weightsDigest, twin.summary.weightsDigest);
      for (const each of [twin, refitted]) each.dispose();
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
      await assert.rejects(refit(family, summary, planted, new Int32Array(0)), {
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

    check(
      family,
      'cannot tell what lies beyond the bounds of outliers from the bound',
      async () => {
        const prepared = withBounds(planted);
        const bundle = await runFitJob(
          {
            family: family.name,
            params: SHORT[family.name] ?? {},
            seed: 1,
            prepared,
            multiplyByClose: false,
          },
          fitContext(prepared),
        );
        const { implementation } = await family.load();
        const model = await implementation.restore(bundle.weights);
        const session = await openSession(bundle.graphs.model, { threads: 1 });
        try {
          const at = samplesOf(prepared, prepared.split.test);
          const { bounds } = prepared.scalers.features;
          const within = { ...at, features: withinBounds(at.features, bounds!) };
          const beyond = {
            ...at,
            features: at.features.map((x, i) => farther(x, within.features[i]!)),
          };
          assert.ok(beyond.features.some((x, i) => Math.abs(x - at.features[i]!) > 100));
          assert.deepEqual(await model.predict(beyond), await model.predict(within));
          const [far, near] = [await graphOf(session, beyond), await graphOf(session, within)];
          assert.deepEqual(far, near);
        } finally {
          model.dispose();
          await session.release();
        }
      },
    );

    check(family, 'goes on bit for bit after a crash at any batch', async () => {
      const batches: string[] = [];
      const place = ({ epoch, batch }: { epoch: number; batch: number }) => `${epoch}/${batch}`;
      const whole = await fit(family, planted, { onBatch: (at) => void batches.push(place(at)) });
      const samples = samplesOf(planted, planted.split.test);
      const expected = await whole.predict(samples);
      for (const share of [0, 0.4, 0.999]) {
        const crash = batches[Math.floor(share * batches.length)];
        // A family that works in one piece is never in the middle of anything.
        if (crash === undefined) break;
        let newest: Uint8Array | undefined;
        let nowMs = 0;
        const crashed = fit(family, planted, {
          // A clock that makes a checkpoint due every few batches.
          now: () => (nowMs += 3000),
          saveCheckpoint: async (bytes) => void (newest = bytes),
          onBatch: (at) => {
            if (place(at) === crash) throw new Error(`crashed at ${crash}`);
          },
        });
        await assert.rejects(crashed, { message: `crashed at ${crash}` });
        const resumed = await fit(family, planted, { loadCheckpoint: async () => newest });
        assert.equal(resumed.summary.weightsDigest, whole.summary.weightsDigest, crash);
        assert.equal(resumed.summary.bestEpoch, whole.summary.bestEpoch);
        assert.deepEqual(await resumed.predict(samples), expected);
        resumed.dispose();
      }
      whole.dispose();
    });

    check(family, 'does not change its inputs', async () => {
      const before = [planted.features.slice(), planted.labels.slice()];
      (await fit(family, planted)).dispose();
      assert.deepEqual([planted.features, planted.labels], before);
    });

    check(family, 'beats the reference on a planted signal', async () => {
      const model = await fit(family, planted);
      const skill = await skillAgainstReference(model, planted);
      model.dispose();
      // 70 % of the variance is planted; of three classes the truth itself has a log loss of about half the priors'.
      const [least, most] = task === 'regression' ? [0.3, 0.85] : [0.2, 0.6];
      assert.ok(skill > least && skill < most, `skill ${skill}`);
    });

    check(family, 'gives every class a probability, adding up to 1', async () => {
      if (task === 'regression') return;
      const model = await fit(family, planted);
      const samples = samplesOf(planted, planted.split.test);
      const predicted = await model.predict(samples);
      model.dispose();
      assert.equal(predicted.length, samples.labels.length * samples.classes);
      for (let at = 0; at < predicted.length; at += samples.classes) {
        const run = predicted.subarray(at, at + samples.classes);
        assert.ok(run.every((p) => p >= 0));
        assert.ok(Math.abs(run.reduce((a, b) => a + b, 0) - 1) < 1e-12);
      }
    });

    check(family, 'does not beat the reference on noise', async () => {
      const model = await fit(family, noise);
      const skill = await skillAgainstReference(model, noise);
      model.dispose();
      assert.ok(skill < 0.05 && skill > -0.3, `skill ${skill}`);
    });

    check(family, 'exports a graph that says what the model says', async () => {
      for (const labelKind of KINDS[task]) {
        const shape = { rows: 300, lookback: 4, features: 3, labelKind };
        const prepared = withMarket(plantedPrepared(shape));
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
        assert.equal(bundle.probes.predictions.length, 32 * outputsOf(prepared));
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

/** What every family of models keeps to, for each task it has. */
export async function modelSuites(families: readonly ModelDescriptor[]): Promise<void> {
  for (const family of families) {
    const skip =
      (family.traits.needsTensorflow && withoutTensorflow) || (await lackingLibrary(family));
    for (const task of family.traits.tasks) suite(family, task, DATA[task], skip);
  }
}
