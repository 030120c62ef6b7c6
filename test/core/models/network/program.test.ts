import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Tensor } from '@tensorflow/tfjs-node';
import { withoutTensorflow } from '../../../support/tensorflow.ts';
import { fusedLstm } from '../../../../core/models/lstm/layers.impl.ts';
import { lstmMultiHorizon, lstmParams } from '../../../../core/models/lstm-multi-horizon.ts';
import { lstmDesign } from '../../../../core/models/lstm/design.impl.ts';
import type { FitContext, Samples } from '../../../../core/models/model.ts';
import type { NetworkDesign } from '../../../../core/models/network/design.ts';
import type { HeadTask } from '../../../../core/models/network/head.ts';
import { canCompile, Program } from '../../../../core/models/network/program/program.impl.ts';
import {
  type StepJob,
  TrainingSteps,
  type Vectors,
} from '../../../../core/models/network/step.impl.ts';
import { loadTensorflow } from '../../../../core/models/network/tensorflow.impl.ts';
import { windowsOver } from '../../../../core/models/network/windows.impl.ts';
import { normalFrom, randomFor } from '../../../../core/models/random.ts';
import { transformerParams } from '../../../../core/models/transformer.ts';
import { initialWeights } from '../../../../core/models/transformer/initialise.ts';
import {
  layoutOf as transformerLayout,
  shapeOf,
} from '../../../../core/models/transformer/layout.ts';
import { TransformerNetwork } from '../../../../core/models/transformer/network.impl.ts';
import { samplesOf } from '../../../../core/features/prepared.ts';
import { fitContext } from '../../../support/fit-context.ts';
import { plantedPrepared } from '../../../support/planted-prepared.ts';

const normals = (count: number, key: number): Float32Array =>
  Float32Array.from({ length: count }, normalFrom(randomFor(key)));

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  assert.equal(a.length, b.length);
  return Array.from(a, (value, i) => Math.abs(value - b[i]!)).reduce((x, y) => Math.max(x, y), 0);
};

describe('a recorded program', { skip: withoutTensorflow }, () => {
  for (const [steps, batch, inputs, units] of [
    [7, 3, 4, 5],
    [1, 2, 3, 1],
  ] as const) {
    it(`gives the LSTM and its gradients as the kernels do: ${steps} steps, ${units} units`, () => {
      const native = loadTensorflow();
      const { tf } = native;
      const count = tf.memory().numTensors;
      const tensor = (key: number, ...shape: number[]): Tensor =>
        tf.tensor(
          normals(
            shape.reduce((a, b) => a * b),
            key,
          ),
          shape,
        );
      const peephole = tf.zeros([units]);
      const work = ([x, w, b, dh]: readonly Tensor[]): Tensor[] => {
        const loss = (...args: Tensor[]): Tensor => {
          const [xi, wi, bi] = args as [Tensor, Tensor, Tensor];
          const h = fusedLstm(native, { x: xi, w: wi, b: bi, zeroPeephole: peephole });
          return tf.sum(tf.mul(h, dh!));
        };
        const { value, grads } = tf.valueAndGrads((...args) => loss(...args).asScalar())([
          x!,
          w!,
          b!,
        ]);
        return [value, ...grads];
      };
      const argsOf = (key: number): Tensor[] => [
        tensor(key, steps, batch, inputs),
        tensor(key + 1, inputs + units, 4 * units),
        tensor(key + 2, 4 * units),
        tensor(key + 3, steps, batch, units),
      ];
      const recorded = argsOf(1);
      const program = Program.of(native, recorded, () => work(recorded));
      // Other values than those it was recorded with.
      const args = argsOf(5);
      const expected = tf.tidy(() => work(args));
      const given = program.run(args);
      given.forEach((one, i) => {
        assert.deepEqual(one.shape, expected[i]!.shape);
        assert.ok(distance(one.dataSync(), expected[i]!.dataSync()) < 2e-5, `value ${i}`);
      });
      program.dispose();
      tf.dispose([...recorded, ...args, ...expected, ...given, peephole]);
      assert.equal(tf.memory().numTensors, count);
    });
  }

  it('refuses what it cannot write down, and leaves the backend as it was', () => {
    const native = loadTensorflow();
    const { tf } = native;
    const x = tf.tensor1d([0.5]);
    const count = tf.memory().numTensors;
    assert.throws(() => Program.of(native, [x], () => [tf.atanh(x)]), { code: 'training.program' });
    assert.equal(tf.memory().numTensors, count);
    const y = tf.atanh(x);
    assert.ok(Math.abs(y.dataSync()[0]! - Math.atanh(0.5)) < 1e-6);
    tf.dispose([x, y]);
  });
});

/** A network to train, and what its outputs are held against. */
interface Trained {
  readonly design: Omit<NetworkDesign, 'graphs'>;
  readonly head: HeadTask;
}

const [INPUTS, LOOKBACK, COUNT, BATCH] = [4, 6, 100, 20];

/** A hundred windows over noise. */
function scene({ design, head }: Trained) {
  const native = loadTensorflow();
  const horizons = head.lossWeights.length;
  const rows = native.tf.tensor2d(normals(120 * INPUTS, 3), [120, INPUTS]);
  const labels = Float64Array.from(normals(COUNT * horizons, 4), (value) =>
    head.kind === 'regression' ? value : value > 0 ? 1 : 0,
  );
  const samples: Samples = {
    features: new Float64Array(0),
    featureCount: INPUTS,
    lookback: LOOKBACK,
    endRow: Int32Array.from({ length: COUNT }, (_, i) => i + LOOKBACK),
    labels,
    horizons: Array.from({ length: horizons }, (_, i) => i + 1),
    classes: head.kind === 'regression' ? 0 : head.classes,
  };
  const job: StepJob = {
    native,
    network: design.network(native, { head, seed: 3 }),
    layout: design.layout,
    params: { ...lstmParams.parse({ batchSize: BATCH }), warmupSteps: 3, weightDecay: 0.01 },
    train: windowsOver(native.tf, rows, samples, labels),
  };
  return { job, initial: design.initialWeights(7) };
}

function train({ job, initial }: ReturnType<typeof scene>, compiles: boolean) {
  const { tf } = job.native;
  const steps = new TrainingSteps(job, compiles);
  const none = new Float32Array(initial.theta.length);
  let vectors: Vectors = {
    theta: tf.tensor1d(initial.theta),
    m: tf.tensor1d(none),
    v: tf.tensor1d(none),
    mean: tf.tensor1d(initial.movingMean),
    variance: tf.tensor1d(initial.movingVariance),
  };
  const losses: number[] = [];
  for (let step = 1; step <= 12; step++) {
    // The last batch of an epoch is smaller.
    const length = step % 4 === 0 ? 5 : BATCH;
    const indices = Int32Array.from({ length }, (_, i) => (step * 7 + i * 3) % COUNT);
    const taken = steps.take(vectors, indices, { step, learningRate: 0.01 });
    vectors = taken.vectors;
    losses.push(...Array.from(taken.losses));
  }
  const valuesOf = (of: readonly Tensor[]) => of.flatMap((one) => [...one.dataSync()]);
  const weights = valuesOf([vectors.theta]);
  // Gradients, where theta may differ: Adam makes whole steps of what is nothing but rounding.
  const averages = valuesOf([vectors.m, vectors.mean, vectors.variance]);
  tf.dispose({ ...vectors });
  steps.dispose();
  return { losses, weights, averages };
}

const REGRESSION: HeadTask = { kind: 'regression', lossWeights: [0.7, 0.3] };
const CLASSES: HeadTask = {
  kind: 'classification',
  lossWeights: [1],
  classes: 2,
  classWeights: [[1, 2]],
};
const RATES = { dropout: 0.2, recurrentDropout: 0.2 };
const FORECASTER = {
  inputs: INPUTS,
  units: [5, 3],
  dense: [4],
  branch: 3,
  horizons: 2,
  outputs: 1,
};

function transformer(): Omit<NetworkDesign, 'graphs'> {
  const sizes = { inputs: INPUTS, lookback: LOOKBACK, horizons: 2, classes: 0 };
  const params = transformerParams.parse({ dModel: 8, heads: 2, feedForward: 10 });
  const layout = transformerLayout(shapeOf(params, sizes));
  return {
    layout,
    initialWeights: (seed) => initialWeights(layout, seed),
    network: (native, setup) => new TransformerNetwork(native, { layout, dropout: 0.2, setup }),
  };
}

const NETWORKS: Readonly<Record<string, Trained>> = {
  'a forecaster': { design: lstmDesign(FORECASTER, RATES), head: REGRESSION },
  'a network without dropout': {
    design: lstmDesign(FORECASTER, { dropout: 0, recurrentDropout: 0 }),
    head: REGRESSION,
  },
  'a classifier': {
    design: lstmDesign({ ...FORECASTER, branch: 0, horizons: 1, outputs: 2 }, RATES),
    head: CLASSES,
  },
  'a Transformer': { design: transformer(), head: REGRESSION },
};

describe('a compiled step', { skip: withoutTensorflow }, () => {
  for (const [what, trained] of Object.entries(NETWORKS)) {
    it(`moves ${what} to where its operations, one by one, move it`, () => {
      const parts = scene(trained);
      const { native } = parts.job;
      assert.ok(canCompile(native));
      const plain = train(parts, false);
      const count = native.tf.memory().numTensors;
      const compiled = train(parts, true);
      assert.notDeepEqual(compiled.weights, plain.weights, 'it was compiled');
      assert.ok(distance(compiled.losses, plain.losses) < 1e-4, 'losses');
      assert.ok(distance(compiled.averages, plain.averages) < 1e-4, 'gradients, statistics');
      assert.deepEqual(train(parts, true), compiled, 'the same again');
      assert.equal(native.tf.memory().numTensors, count);
    });
  }

  it('goes on bit for bit after a crash', async () => {
    // 22 batches an epoch, the last of them smaller.
    const prepared = plantedPrepared({ rows: 260 });
    const parts = (['train', 'valid'] as const).map((p) => samplesOf(prepared, prepared.split[p]));
    const batchSize = Math.floor((parts[0]!.endRow.length - 1) / 21);
    const params = lstmParams.parse({ units: [6, 5], dense: [4], branch: 3, epochs: 3, batchSize });
    const { implementation } = await lstmMultiHorizon.load();
    const fit = async (changes: Partial<FitContext>) => {
      const context = fitContext(prepared, changes);
      const model = await implementation.fit(params, parts[0]!, parts[1]!, context);
      model.dispose();
      return model.summary.weightsDigest;
    };
    let newest: Uint8Array | undefined;
    const crash = fit({
      saveCheckpoint: async (bytes) => void (newest = bytes),
      onBatch: ({ epoch, batch }) => {
        if (epoch === 2 && batch === 7) throw new Error('crash');
      },
    });
    await assert.rejects(crash, /crash/);
    assert.ok(newest);
    assert.equal(await fit({ loadCheckpoint: async () => newest }), await fit({}));
  });
});
