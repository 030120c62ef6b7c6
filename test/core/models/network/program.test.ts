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
import { record } from '../../../../core/models/network/program/recorder.impl.ts';
import {
  chooseCompiled,
  flopsOfEpoch,
  type StepJob,
  TrainingSteps,
  type Vectors,
} from '../../../../core/models/network/step.impl.ts';
import {
  loadTensorflow,
  type NativeBackend,
  type NativeOps,
} from '../../../../core/models/network/tensorflow.impl.ts';
import { windowsOver } from '../../../../core/models/network/windows.impl.ts';
import { normalFrom, randomFor } from '../../../../core/models/random.ts';
import { decodeSections } from '../../../../core/models/sections.ts';
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

const [STEPS, ROWS, UNITS] = [100, 8, 16];

describe('a lowered LSTM', { skip: withoutTensorflow }, () => {
  const native = withoutTensorflow ? undefined : loadTensorflow();
  const lstm = (work: (tensors: readonly Tensor[], zero: Tensor) => Tensor[], argument = false) => {
    const { tf } = native!;
    tf.engine().startScope();
    try {
      const shapes = [[STEPS, ROWS, 3], [3 + UNITS, 4 * UNITS], [4 * UNITS]];
      const args = shapes.map((shape, i) =>
        tf.tensor(
          normals(
            shape.reduce((a, b) => a * b),
            i,
          ),
          shape,
        ),
      );
      const zero = tf.zeros([ROWS, UNITS]);
      return record(native!, argument ? [...args, zero] : args, () => work(args, zero));
    } finally {
      tf.engine().endScope();
    }
  };
  const peephole = () => native!.tf.zeros([UNITS]);
  const outputs = ([x, w, b]: readonly Tensor[], zero: Tensor): Tensor[] =>
    native!.blockLstm(x!, zero, w!, peephole(), b!);

  for (const [index, name] of ['i', 'cs', 'f', 'o', 'ci', 'co'].entries()) {
    it(`does not give its output ${name}, of which the loops have something else or nothing`, () => {
      assert.throws(() => lstm((args, zero) => [outputs(args, zero)[index]!]), {
        code: 'training.program',
      });
      const doubled = (args: readonly Tensor[], zero: Tensor) => [
        native!.tf.mul(outputs(args, zero)[index]!, 2),
      ];
      assert.throws(() => lstm(doubled), { code: 'training.program' });
    });
  }

  it('keeps no values of the recording', () => {
    const { tf } = native!;
    const { saved } = lstm((args) => {
      const zeroPeephole = peephole();
      const { grads } = tf.valueAndGrads((...of) => {
        const [x, w, b] = of as [Tensor, Tensor, Tensor];
        const h = fusedLstm(native!, { x, w, b, zeroPeephole });
        return tf.sum(tf.square(h)).asScalar();
      })([...args]);
      return grads;
    });
    // The gradient of the sum has ones of the shape of one output; three others would take as much each.
    assert.ok(saved.length < 2 * STEPS * ROWS * UNITS * 4, `${saved.length} bytes`);
  });

  it('refuses a state before the first step, and peepholes, that may be other than 0', () => {
    const { tf } = native!;
    const given =
      (state: (zero: Tensor) => Tensor, holes = peephole) =>
      ([x, w, b]: readonly Tensor[], zero: Tensor): Tensor[] => [
        native!.blockLstm(x!, state(zero), w!, holes(), b!)[6]!,
      ];
    const refused = { code: 'training.program' };
    assert.throws(() => lstm(given(() => tf.ones([ROWS, UNITS]))), refused);
    assert.throws(
      () =>
        lstm(
          given(
            (zero) => zero,
            () => tf.ones([UNITS]),
          ),
        ),
      refused,
    );
    assert.throws(
      () =>
        lstm(
          given((zero) => zero),
          true,
        ),
      refused,
    );
    lstm(given((zero) => zero));
    lstm(
      given((zero) => tf.zerosLike(zero)),
      true,
    );
  });
});

describe('whether programs can be compiled', { skip: withoutTensorflow }, () => {
  const probe = (native: NativeOps) => {
    const x = native.tf.tensor1d([1, 2]);
    return { x, recorded: record(native, [x], () => [native.tf.square(x)]) };
  };

  it('is what TensorFlow says, and nothing else', () => {
    const native = loadTensorflow();
    const { x, recorded } = probe(native);
    assert.equal(Program.runs(native, recorded, [x]), true);
    const damaged = { ...recorded, saved: Uint8Array.of(1, 2, 3) };
    assert.equal(Program.runs(native, damaged, [x]), false);
    const { TMPDIR } = process.env;
    process.env['TMPDIR'] = '/nowhere-at-all';
    try {
      assert.throws(() => Program.runs(native, recorded, [x]), { code: 'ENOENT' });
      // Not asked before of this backend.
      const backend = Object.create(native.backend) as NativeBackend;
      assert.throws(() => canCompile({ ...native, backend }), { code: 'ENOENT' });
    } finally {
      if (TMPDIR === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = TMPDIR;
    }
    const ours = { runSavedModel: { value: () => assert.fail('a mistake of ours') } };
    const broken = { ...native, backend: Object.create(native.backend, ours) as NativeBackend };
    assert.throws(() => canCompile(broken), /a mistake of ours/);
    x.dispose();
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

  it('is what large epochs take, and what those before a crash were', () => {
    const { job } = scene(NETWORKS['a forecaster']!);
    assert.equal(flopsOfEpoch(job), 6 * job.layout.parameterCount * LOOKBACK * COUNT);
    assert.equal(chooseCompiled(job, undefined), false, 'small ones do not pay for it');
    const large = { ...job, layout: { ...job.layout, parameterCount: 2_000_000 } };
    assert.equal(chooseCompiled(large, undefined), true);
    for (const before of [true, false]) {
      assert.equal(chooseCompiled(job, before), before);
      assert.equal(chooseCompiled(large, before), before);
    }
    const gpu = { isUsingGpuDevice: { value: true } };
    const backend = Object.create(job.native.backend, gpu) as NativeBackend;
    const elsewhere = { ...large, native: { ...job.native, backend } };
    assert.equal(chooseCompiled(elsewhere, undefined), false);
    assert.throws(() => chooseCompiled(elsewhere, true), { code: 'training.cannot-compile' });
  });

  /** Two epochs of a fit and its crash in the second, gone on with: was it compiled, and is all as without the crash? */
  async function crashed(units: number, rows: number): Promise<boolean | undefined> {
    const prepared = plantedPrepared({ rows, features: 24, lookback: 20 });
    const parts = (['train', 'valid'] as const).map((p) => samplesOf(prepared, prepared.split[p]));
    // 22 batches an epoch, the last of them smaller.
    const batchSize = Math.floor((parts[0]!.endRow.length - 1) / 21);
    const sizes = { units: [units], dense: [4], branch: 3 };
    const params = lstmParams.parse({ ...sizes, epochs: 2, batchSize });
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
    const { meta } = decodeSections(newest, 'network-checkpoint', 1);
    return (meta as { readonly compiled?: boolean }).compiled;
  }

  it('goes on bit for bit after a crash', async () => {
    assert.equal(await crashed(100, 1400), true);
  });

  it('goes on bit for bit after a crash where it was not worth its compiling', async () => {
    assert.equal(await crashed(6, 260), false);
  });
});
