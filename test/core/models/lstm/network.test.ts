import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import { assertGradientOf } from '../../../support/gradient.ts';
import { withoutTensorflow } from '../../../support/tensorflow.ts';
import { initialWeights } from '../../../../core/models/lstm/initialise.ts';
import { layoutOf, toNetWeights, type NetworkShape } from '../../../../core/models/lstm/layout.ts';
import { fusedBatchNorm, fusedLstm } from '../../../../core/models/lstm/layers.impl.ts';
import { masksOf } from '../../../../core/models/lstm/masks.ts';
import { LstmNetwork } from '../../../../core/models/lstm/network.impl.ts';
import type { HeadTask } from '../../../../core/models/network/head.ts';
import type { TrainingPass } from '../../../../core/models/network/training-job.ts';
import { loadTensorflow } from '../../../../core/models/network/tensorflow.impl.ts';
import { normalFrom, randomFor } from '../../../../core/models/random.ts';

/** Sizes of a forecaster with branches, and of a classifier that reads the last LSTM's newest step. */
const SHAPE = { inputs: 4, units: [5, 3], dense: [4], branch: 3, horizons: 2, outputs: 1 };
const CLASSIFIER = { ...SHAPE, dense: [], branch: 0, outputs: 3 };
const WEIGHTS = [
  [1, 0.5, 2],
  [1, 1, 1],
];
const [STEPS, BATCH] = [6, 7];

function normals(count: number, ...key: number[]): Float32Array {
  return Float32Array.from({ length: count }, normalFrom(randomFor(...key)));
}

function setUp(shape: NetworkShape = SHAPE, rates = { dropout: 0.2, recurrentDropout: 0.2 }) {
  const native = loadTensorflow();
  const { tf } = native;
  const layout = layoutOf(shape);
  const lossWeights = [0.7, 0.3];
  const head: HeadTask =
    shape.branch > 0
      ? { kind: 'regression', lossWeights }
      : { kind: 'classification', lossWeights, classes: shape.outputs, classWeights: WEIGHTS };
  const network = new LstmNetwork(native, { layout, rates, setup: { head, seed: 5 } });
  const x = tf.tensor3d(normals(STEPS * BATCH * 4, 1), [STEPS, BATCH, 4]);
  const values = normals(BATCH * 2, 2);
  const y = tf.tensor2d(
    shape.branch > 0 ? values : values.map((v) => (v > 0.4 ? 2 : v < -0.4 ? 0 : 1)),
    [BATCH, 2],
  );
  const weights = initialWeights(layout, 3);
  return { native, tf, layout, network, x, y, weights };
}

type SetUp = ReturnType<typeof setUp>;

/** Loss and gradient of the whole training step at `theta`. */
function step({ tf, network, x, y }: SetUp, theta: Float32Array, at = 1) {
  return tf.tidy(() => {
    let pass: TrainingPass | undefined;
    const keep = (kept: TrainingPass): void => void (pass = kept);
    const { value, grads } = tf.valueAndGrads((t) =>
      network
        .trainingLoss(t as Tensor1D, { x: x as Tensor3D, y: y as Tensor2D, step: at }, keep)
        .asScalar(),
    )([tf.tensor1d(theta)]);
    const { losses, means, variances } = pass!;
    // In double: the sum in float32 would hide the differences looked for below.
    const loss = losses.dataSync()[0]! * 0.7 + losses.dataSync()[1]! * 0.3;
    assert.ok(Math.abs(loss - value.dataSync()[0]!) < 1e-6);
    tf.dispose([losses, ...means, ...variances]);
    return { loss, gradient: Float32Array.from(grads[0]!.dataSync()) };
  });
}

describe('lstm network', { skip: withoutTensorflow }, () => {
  it('gives what tf.layers.lstm with sigmoid gates gives', () => {
    const { native, tf } = setUp();
    const x = tf.tensor3d(normals(3 * 6 * 4, 9), [3, 6, 4]);
    const layer = tf.layers.lstm({
      units: 5,
      returnSequences: true,
      recurrentActivation: 'sigmoid',
    });
    const expected = layer.apply(x) as Tensor3D;
    const [kernel, recurrent, b] = layer.getWeights() as [Tensor2D, Tensor2D, Tensor];
    const h = fusedLstm(native, {
      x: tf.transpose(x, [1, 0, 2]),
      w: tf.concat([kernel, recurrent], 0),
      b,
      zeroPeephole: tf.zeros([5]),
    });
    const difference = tf
      .sub(tf.transpose(h, [1, 0, 2]), expected)
      .abs()
      .max()
      .dataSync()[0]!;
    assert.ok(difference < 2e-7, `differs by ${difference}`);
  });

  it('gives what tf.layers batch normalisation gives in training', () => {
    const { native, tf } = setUp();
    const x = tf.tensor2d(normals(8 * 3, 4), [8, 3]);
    const [gamma, beta] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([0, 1, -1])];
    const seen: number[][] = [];
    const y = fusedBatchNorm(native, { x, gamma, beta }, (mean, variance) => {
      seen.push([...mean.dataSync()], [...variance.dataSync()]);
    });
    const { mean, variance } = tf.moments(x, 0);
    const expected = tf.batchNorm(x, mean as Tensor1D, variance as Tensor1D, beta, gamma, 1e-3);
    assert.ok(tf.sub(y, expected).abs().max().dataSync()[0]! < 1e-6);
    variance.dataSync().forEach((v, k) => assert.ok(Math.abs(seen[1]![k]! - (v * 8) / 7) < 1e-5));
  });

  for (const [what, shape] of Object.entries({ forecaster: SHAPE, classifier: CLASSIFIER })) {
    it(`has the gradient that finite differences show, for every parameter: ${what}`, () => {
      const parts = setUp(shape);
      const { layout, weights } = parts;
      // Away from the start, where biases are 0 and relu units sit on their kink.
      const theta = weights.theta.map((w, i) => w + 0.1 * normals(layout.parameterCount, 6)[i]!);
      const { gradient } = step(parts, theta);
      const lossAt = (moved: Float32Array): number => step(parts, moved).loss;
      assertGradientOf(lossAt, { layout, theta, gradient, epsilon: 2e-3, tolerance: 0.02 });
    });
  }

  it('drops the same units for the same step and others for another step', () => {
    const parts = setUp();
    const { theta } = parts.weights;
    assert.equal(step(parts, theta, 1).loss, step(parts, theta, 1).loss);
    assert.notEqual(step(parts, theta, 1).loss, step(parts, theta, 2).loss);
  });

  it('loses nothing on average by dropout: masks have mean 1', async () => {
    const { DropoutMasks } = await import('../../../../core/models/network/dropout.impl.ts');
    const { native, tf } = setUp();
    const masks = new DropoutMasks(
      native,
      (batch) => masksOf(SHAPE, { dropout: 0.2, recurrentDropout: 0.4 }, batch),
      5,
    );
    const sums = new Map<number, number>();
    const draws = 400;
    for (let at = 0; at < draws; at++) {
      tf.tidy(() => {
        masks.of(BATCH, at)!.forEach((mask, i) => {
          const mean = mask.mean().dataSync()[0]!;
          sums.set(i, (sums.get(i) ?? 0) + mean / draws);
          if (i === 1) {
            const rows = [...mask.dataSync()];
            assert.deepEqual(rows.slice(0, SHAPE.inputs), [1, 1, 1, 1], 'input rows are kept');
            for (const value of rows.slice(4))
              assert.ok(value === 0 || Math.abs(value - 1 / 0.6) < 1e-6);
          }
        });
      });
    }
    // 400 draws of at least 3 units: standard error of a mean below .02.
    for (const [i, mean] of sums) assert.ok(Math.abs(mean - 1) < 0.08, `mask ${i}: mean ${mean}`);
    masks.dispose();
  });

  it('hands its weights out in the layout of the ONNX builders', () => {
    const { layout, weights } = setUp();
    const net = toNetWeights(layout, weights, { dropout: 0.2, recurrentDropout: 0.2 });
    assert.deepEqual(
      net.lstm.map((l) => [l.inputs, l.units, l.kernel.length, l.recurrent.length]),
      [
        [4, 5, 80, 100],
        [5, 3, 60, 36],
      ],
    );
    assert.deepEqual(
      net.branches.map((b) => [b.hidden.inputs, b.hidden.units, b.output.kernel.length]),
      [
        [4, 3, 3],
        [4, 3, 3],
      ],
    );
    // unit_forget_bias: gates in the order i, f, c, o.
    assert.deepEqual([...net.lstm[1]!.bias], [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    const r = net.lstm[0]!.recurrent;
    for (let a = 0; a < 5; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let k = 0; k < 20; k++) dot += r[a * 20 + k]! * r[b * 20 + k]!;
        assert.ok(Math.abs(dot - (a === b ? 1 : 0)) < 1e-6, 'recurrent rows are orthonormal');
      }
    }
  });
});
