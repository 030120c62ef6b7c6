import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Tensor1D, Tensor3D } from '@tensorflow/tfjs-node';
import { assertGradientOf } from '../../../support/gradient.ts';
import { goldenTransformers } from '../../../support/golden-transformer.ts';
import { PlainTransformer } from '../../../support/plain-transformer.ts';
import { withoutTensorflow } from '../../../support/tensorflow.ts';
import type { HeadTask } from '../../../../core/models/network/head.ts';
import { loadTensorflow } from '../../../../core/models/network/tensorflow.impl.ts';
import type { TrainingPass } from '../../../../core/models/network/training-job.ts';
import { normalFrom, randomFor } from '../../../../core/models/random.ts';
import { initialWeights } from '../../../../core/models/transformer/initialise.ts';
import {
  layoutOf,
  sinusoidalPositions,
  type TransformerShape,
} from '../../../../core/models/transformer/layout.ts';
import { TransformerNetwork } from '../../../../core/models/transformer/network.impl.ts';

const [STEPS, BATCH] = [6, 7];
const SHAPE: TransformerShape = {
  inputs: 4,
  lookback: STEPS,
  outputs: 2,
  dModel: 8,
  heads: 2,
  layers: 2,
  feedForward: 10,
  causal: false,
  learnedPositions: false,
  pooling: 'last',
};
const VARIANTS: Readonly<Record<string, TransformerShape>> = {
  'full attention, newest bar': SHAPE,
  'causal attention, learned positions': { ...SHAPE, causal: true, learnedPositions: true },
  'full attention, mean of the bars': { ...SHAPE, pooling: 'mean', heads: 4 },
  'causal attention, mean of the bars, one layer': {
    ...SHAPE,
    causal: true,
    pooling: 'mean',
    layers: 1,
    heads: 1,
  },
};
const REGRESSION: HeadTask = { kind: 'regression', lossWeights: [0.7, 0.3] };

function normals(count: number, ...key: number[]): Float32Array {
  return Float32Array.from({ length: count }, normalFrom(randomFor(...key)));
}

function setUp(shape: TransformerShape, dropout = 0, head: HeadTask = REGRESSION) {
  const native = loadTensorflow();
  const { tf } = native;
  const layout = layoutOf(shape);
  const network = new TransformerNetwork(native, { layout, dropout, setup: { head, seed: 5 } });
  const x = tf.tensor3d(normals(STEPS * BATCH * shape.inputs, 1), [STEPS, BATCH, shape.inputs]);
  const y = tf.tensor2d(normals(BATCH * 2, 2), [BATCH, 2]);
  // Away from the start, where biases are 0.
  const theta = initialWeights(layout, 3).theta.map(
    (w, i) => w + 0.1 * normals(layout.parameterCount, 6)[i]!,
  );
  return { native, tf, layout, network, x, y, theta, head };
}

type SetUp = ReturnType<typeof setUp>;

/** Loss and gradient of the whole training step at `theta`. */
function step({ tf, network, x, y, head }: SetUp, theta: Float32Array, at = 1) {
  return tf.tidy(() => {
    let pass: TrainingPass | undefined;
    const { value, grads } = tf.valueAndGrads((t) =>
      network
        .trainingLoss(t as Tensor1D, { x, y, step: at }, (kept) => void (pass = kept))
        .asScalar(),
    )([tf.tensor1d(theta)]);
    // In double: the sum in float32 would hide the differences looked for below.
    const losses = pass!.losses.dataSync();
    const loss = head.lossWeights.reduce((sum, weight, k) => sum + weight * losses[k]!, 0);
    assert.ok(Math.abs(loss - value.dataSync()[0]!) < 1e-5);
    pass!.losses.dispose();
    return { loss, gradient: Float32Array.from(grads[0]!.dataSync()) };
  });
}

/** These weights with every relu unit far on either side of its kink, which finite differences would stumble over. */
function offTheKinks({ layout, theta }: SetUp): Float32Array {
  const moved = theta.slice();
  for (const { name, offset, size } of layout.parameters) {
    if (!/^wide.*bias$/.test(name)) continue;
    for (let i = 0; i < size; i++) moved[offset + i] = i % 2 === 0 ? 4 : -4;
  }
  return moved;
}

/** Of the whole training step, parameter by parameter. */
function assertGradient(parts: SetUp): void {
  const theta = offTheKinks(parts);
  const { gradient } = step(parts, theta);
  const lossAt = (moved: Float32Array): number => step(parts, moved).loss;
  assertGradientOf(lossAt, { ...parts, theta, gradient, epsilon: 1e-2, tolerance: 0.005 });
}

describe('transformer network', { skip: withoutTensorflow }, () => {
  for (const [name, shape] of Object.entries(VARIANTS)) {
    it(`gives what the plain network gives, with the same gradient: ${name}`, () => {
      const parts = setUp(shape);
      const { tf, layout, network, x, y, theta, head } = parts;
      const plain = new PlainTransformer(tf, layout);
      tf.tidy(() => {
        const t = tf.tensor1d(theta);
        const expected = plain.outputs(t, x as Tensor3D);
        const got = network.predict(t, undefined, x as Tensor3D);
        assert.deepEqual(got.shape, [BATCH, 2]);
        assert.ok(tf.max(tf.abs(tf.sub(got, expected))).dataSync()[0]! < 2e-6);
        const lossOf = (w: Tensor1D) => {
          const losses = tf.mean(tf.square(tf.sub(plain.outputs(w, x), y)), 0);
          return tf.sum(tf.mul(losses, [...head.lossWeights])).asScalar();
        };
        const [gradient] = tf.grads((w) => lossOf(w as Tensor1D))([t]);
        const ours = step(parts, theta).gradient;
        const difference = tf.max(tf.abs(tf.sub(gradient!, ours))).dataSync()[0]!;
        assert.ok(difference < 1e-5, `gradients differ by ${difference}`);
      });
    });

    it(`has the gradient that finite differences show, for every parameter: ${name}`, () => {
      assertGradient(setUp(shape, 0.2));
    });
  }

  it('has the gradient that finite differences show where it learns classes', () => {
    const head: HeadTask = {
      kind: 'classification',
      lossWeights: [0.7, 0.3],
      classes: 3,
      classWeights: [
        [1, 2, 1],
        [1, 1, 0.5],
      ],
    };
    const parts = setUp({ ...SHAPE, outputs: 6 }, 0.1, head);
    const y = parts.tf.tensor2d(
      [...normals(BATCH * 2, 8)].map((v) => (v > 0.5 ? 2 : v > -0.5 ? 1 : 0)),
      [BATCH, 2],
    );
    assertGradient({ ...parts, y });
  });

  for (const golden of goldenTransformers()) {
    it(`gives what numpy computes: ${golden.name}`, () => {
      const native = loadTensorflow();
      const { tf } = native;
      const { layout, theta, x, outputs } = golden;
      const network = new TransformerNetwork(native, { layout, dropout: 0, setup: undefined });
      const { lookback, inputs } = layout.shape;
      const got = tf.tidy(() =>
        network
          .predict(tf.tensor1d(theta), undefined, tf.tensor3d([...x], [lookback, 1, inputs]))
          .dataSync(),
      );
      got.forEach((v, i) => assert.ok(Math.abs(v - outputs[i]!) < 2e-6, `${v}, ${outputs[i]}`));
      network.dispose();
    });
  }

  it('lets a causal bar see nothing of the bars after it', () => {
    const { tf, network, x, theta } = setUp({ ...SHAPE, causal: true, pooling: 'mean', layers: 1 });
    // All but the newest bar's part of the mean stays what it was when the newest bar changes.
    const change = tf.concat([tf.zeros([STEPS - 1, BATCH, 4]), tf.ones([1, BATCH, 4])], 0);
    const full = setUp({ ...SHAPE, pooling: 'mean', layers: 1 });
    const moved = (net: TransformerNetwork): number =>
      tf
        .max(
          tf.abs(
            tf.sub(
              net.predict(tf.tensor1d(theta), undefined, x as Tensor3D),
              net.predict(tf.tensor1d(theta), undefined, tf.add(x, change) as Tensor3D),
            ),
          ),
        )
        .dataSync()[0]!;
    assert.ok(moved(network) > 0 && moved(full.network) > 0);
    assert.notEqual(moved(network), moved(full.network));
  });

  it('drops the same units for the same step and others for another step', () => {
    const parts = setUp(SHAPE, 0.3);
    assert.equal(step(parts, parts.theta, 1).loss, step(parts, parts.theta, 1).loss);
    assert.notEqual(step(parts, parts.theta, 1).loss, step(parts, parts.theta, 2).loss);
  });

  it('knows the place of a bar only by its position', () => {
    // Without positions and with the mean of all bars the order of the bars means nothing.
    const { tf, layout, network, x, theta } = setUp({
      ...SHAPE,
      pooling: 'mean',
      learnedPositions: true,
    });
    const answers = (weights: Float32Array, windows: Tensor3D): Float32Array =>
      network.predict(tf.tensor1d(weights), undefined, windows).dataSync() as Float32Array;
    const turned = tf.reverse(x, 0) as Tensor3D;
    const blind = theta.slice();
    const { offset, size } = layout.parameters.find(({ name }) => name === 'positions')!;
    blind.fill(0, offset, offset + size);
    const largest = (a: Float32Array, b: Float32Array) =>
      Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
    assert.ok(largest(answers(blind, x as Tensor3D), answers(blind, turned)) < 1e-5);
    assert.ok(largest(answers(theta, x as Tensor3D), answers(theta, turned)) > 1e-3);
  });

  it('has the sinusoids of the paper', () => {
    const positions = sinusoidalPositions({ ...SHAPE, dModel: 4 });
    const at = (t: number, i: number): number => positions[4 * t + i]!;
    assert.deepEqual([at(0, 0), at(0, 1), at(0, 2), at(0, 3)], [0, 1, 0, 1]);
    assert.ok(Math.abs(at(3, 0) - Math.sin(3)) < 1e-7);
    assert.ok(Math.abs(at(3, 1) - Math.cos(3)) < 1e-7);
    assert.ok(Math.abs(at(3, 2) - Math.sin(3 / 100)) < 1e-7);
    assert.ok(Math.abs(at(3, 3) - Math.cos(3 / 100)) < 1e-7);
  });

  it('starts from weights that follow from the seed', () => {
    const layout = layoutOf({ ...SHAPE, learnedPositions: true });
    const [a, b] = [initialWeights(layout, 3).theta, initialWeights(layout, 4).theta];
    assert.deepEqual(initialWeights(layout, 3).theta, a);
    assert.notDeepEqual(a, b);
    for (const { name, offset, size } of layout.parameters) {
      const part = a.subarray(offset, offset + size);
      assert.equal(
        part.every((w) => w === 0),
        name.endsWith('.bias'),
        name,
      );
    }
    // Queries, keys and values are three matrices of dModel x dModel side by side.
    const { offset, size } = layout.parameters.find(({ name }) => name === 'attention0.kernel')!;
    const largest = Math.max(...a.subarray(offset, offset + size).map(Math.abs));
    assert.ok(largest <= Math.sqrt(6 / 16) && largest > 0.9 * Math.sqrt(6 / 16));
  });
});
