import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutTensorflow } from '../../../support/tensorflow.ts';
import { Adam, type Moments } from '../../../../core/models/network/adam.impl.ts';
import { decaying, ParameterList } from '../../../../core/models/network/layout.ts';
import { loadTensorflow } from '../../../../core/models/network/tensorflow.impl.ts';
import { transformerParams } from '../../../../core/models/transformer.ts';

const list = new ParameterList();
list.add('one.kernel', 1, 2);
list.add('one.bias', 1);
const LAYOUT = list.layout(0);
const START = [0.5, -2, 1.5];
const RATE = 0.01;

/** A quadratic bowl: its gradient is the place itself. */
function descend(rules: Partial<{ warmupSteps: number; weightDecay: number }>, steps: number) {
  const { tf } = loadTensorflow();
  const before = tf.memory().numTensors;
  const adam = new Adam(tf, LAYOUT, {
    ...transformerParams.parse({ warmupSteps: 0, weightDecay: 0 }),
    ...rules,
  });
  const places: number[][] = [];
  let at: Moments = {
    theta: tf.tensor1d(START),
    m: tf.zeros([3]),
    v: tf.zeros([3]),
  };
  for (let step = 1; step <= steps; step++) {
    const old = at;
    const { rate, size } = adam.sizesAt({ step, learningRate: RATE });
    at = tf.tidy(() => adam.move(old, tf.clone(old.theta), { rate, size }));
    tf.dispose({ ...old });
    places.push([...at.theta.dataSync()]);
  }
  tf.dispose({ ...at });
  adam.dispose();
  assert.equal(tf.memory().numTensors, before);
  return places;
}

/** The same in double, as the papers have it: moments corrected one by one. */
function plainly(warmupSteps: number, weightDecay: number, steps: number): number[][] {
  const decay = decaying(LAYOUT);
  const [m, v] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  let theta = [...START];
  const places: number[][] = [];
  for (let t = 1; t <= steps; t++) {
    const rate = RATE * (warmupSteps === 0 ? 1 : Math.min(1, t / warmupSteps));
    theta = theta.map((w, i) => {
      m[i] = 0.9 * m[i]! + 0.1 * w;
      v[i] = 0.999 * v[i]! + 0.001 * w * w;
      const corrected = m[i]! / (1 - 0.9 ** t) / Math.sqrt(v[i]! / (1 - 0.999 ** t));
      return w - rate * (corrected + weightDecay * decay[i]! * w);
    });
    places.push(theta);
  }
  return places;
}

describe('adam', { skip: withoutTensorflow }, () => {
  for (const [name, warmupSteps, weightDecay] of [
    ['plain', 0, 0],
    ['with weight decay', 0, 0.3],
    ['with a warm-up', 5, 0],
    ['with both', 4, 0.1],
  ] as const) {
    it(`walks as the papers say: ${name}`, () => {
      const got = descend({ warmupSteps, weightDecay }, 8);
      plainly(warmupSteps, weightDecay, 8).forEach((place, t) => {
        place.forEach((w, i) => assert.ok(Math.abs(w - got[t]![i]!) < 2e-6, `step ${t + 1}`));
      });
    });
  }

  it('takes weight decay from matrices only', () => {
    assert.deepEqual([...decaying(LAYOUT)], [1, 1, 0]);
    const [plain, decayed] = [descend({}, 1)[0]!, descend({ weightDecay: 0.5 }, 1)[0]!];
    assert.equal(decayed[2], plain[2]);
    assert.ok(Math.abs(decayed[0]!) < Math.abs(plain[0]!));
    assert.ok(Math.abs(decayed[1]!) < Math.abs(plain[1]!));
  });
});
