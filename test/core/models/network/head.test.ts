import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-node';
import { withoutTensorflow } from '../../../support/tensorflow.ts';
import { loadTensorflow } from '../../../../core/models/network/tensorflow.impl.ts';
import { LossHead } from '../../../../core/models/network/head.impl.ts';
import {
  classWeightsOf,
  logLossOf,
  softmax,
  ValidationLoss,
  type HeadTask,
} from '../../../../core/models/network/head.ts';

const CLASSES: HeadTask = {
  kind: 'classification',
  lossWeights: [0.75, 0.25],
  classes: 3,
  classWeights: [
    [1, 2, 3],
    [0.5, 1, 1.5],
  ],
};
/** Two rows of two horizons. */
const LOGITS = [1, 2, 3, 0, 0, 0, -1, 5, 0.5, 2, -2, 0];
const LABELS = [0, 2, 1, 1];

const near = (got: number, want: number, tolerance: number): void =>
  assert.ok(Math.abs(got - want) <= tolerance, `${got} is not ${want}`);

/** Mean weighted -ln p by horizon, spelled out. */
function crossEntropy(logits: readonly number[]): number[] {
  const sums = [0, 0];
  for (let at = 0; at < 4; at++) {
    const run = logits.slice(3 * at, 3 * at + 3);
    const total = run.reduce((sum, z) => sum + Math.exp(z), 0);
    const [k, label] = [at % 2, LABELS[at]!];
    const weight = CLASSES.kind === 'classification' ? CLASSES.classWeights[k]![label]! : NaN;
    sums[k]! += (-weight * Math.log(Math.exp(run[label]!) / total)) / 2;
  }
  return sums;
}

describe('softmax and log loss', () => {
  it('add up to 1 in every run, also where the exponentials overflow', () => {
    const p = softmax([1000, 1001, 1002, -5, 0, 5], 3);
    near(p[0]! + p[1]! + p[2]!, 1, 1e-15);
    near(p[1]! / p[0]!, Math.E, 1e-12);
    near(p[5]!, Math.exp(5) / (Math.exp(5) + 1 + Math.exp(-5)), 1e-15);
  });

  it('cuts probabilities to [.001, .999], and lets NaN through', () => {
    assert.equal(logLossOf(0), -Math.log(0.001));
    assert.equal(logLossOf(1), -Math.log(0.999));
    assert.equal(logLossOf(0.5), Math.LN2);
    assert.ok(Number.isNaN(logLossOf(NaN)));
  });
});

describe('class weights', () => {
  const labels = Float64Array.of(0, 1, 0, 1, 1, 1, 0, 1);
  it('balanced: each class has the same weight in all, the mean is 1', () => {
    const [first, second] = classWeightsOf('balanced', labels, 2, 3) as [number[], number[]];
    assert.deepEqual(
      first,
      [4 / 9, 4 / 3, 1],
      'three rows of class 0, one of class 1, none of class 2',
    );
    assert.deepEqual(second, [1, 1 / 3, 1]);
  });
  it('none: all 1', () => {
    assert.deepEqual(classWeightsOf('none', labels, 2, 2), [
      [1, 1],
      [1, 1],
    ]);
  });
});

describe('validation loss', () => {
  it('of classes is the weighted log loss, the same in one slice or two', () => {
    const [whole, parts] = [new ValidationLoss(CLASSES), new ValidationLoss(CLASSES)];
    whole.add(LOGITS, (row, k) => LABELS[2 * row + k]!);
    parts.add(LOGITS.slice(0, 6), (_, k) => LABELS[k]!);
    parts.add(LOGITS.slice(6), (_, k) => LABELS[2 + k]!);
    assert.deepEqual(whole.mean(), parts.mean());
    const want = crossEntropy(LOGITS);
    want.forEach((loss, k) => near(whole.mean().validLossByHorizon[k]!, loss, 2e-3));
    assert.equal(whole.mean().validMaeByHorizon, undefined);
  });

  it('of a regression is the weighted MSE beside the MAE', () => {
    const loss = new ValidationLoss({ kind: 'regression', lossWeights: [0.75, 0.25] });
    loss.add([1, 2, 3, 5], (row, k) => row + k);
    assert.deepEqual(loss.mean(), {
      validLoss: 0.75 * 2.5 + 0.25 * 5,
      validLossByHorizon: [2.5, 5],
      validMaeByHorizon: [1.5, 2],
    });
  });
});

describe('loss head', { skip: withoutTensorflow }, () => {
  it('gives the cross-entropy by horizon, and its gradient by the logits', () => {
    const { tf } = loadTensorflow();
    const before = tf.memory().numTensors;
    const head = new LossHead(tf, CLASSES);
    const { values, gradient } = tf.tidy(() => {
      const y = tf.tensor2d(LABELS, [2, 2]);
      const loss = (flat: Tensor1D) => head.byHorizon(tf.reshape(flat, [2, 6]) as Tensor2D, y);
      const { grads } = tf.valueAndGrads((flat) => head.total(loss(flat as Tensor1D)).asScalar())([
        tf.tensor1d(LOGITS),
      ]);
      return {
        values: [...loss(tf.tensor1d(LOGITS)).dataSync()],
        gradient: [...grads[0]!.dataSync()],
      };
    });
    crossEntropy(LOGITS).forEach((loss, k) => near(values[k]!, loss, 1e-6));
    const p = softmax(LOGITS, 3);
    gradient.forEach((g, at) => {
      const [sample, c] = [Math.floor(at / 3), at % 3];
      const [k, label] = [sample % 2, LABELS[sample]!];
      const weight = CLASSES.kind === 'classification' ? CLASSES.classWeights[k]![label]! : NaN;
      const want = (CLASSES.lossWeights[k]! * weight * (p[at]! - (c === label ? 1 : 0))) / 2;
      near(g, want, 1e-6);
    });
    head.dispose();
    assert.equal(tf.memory().numTensors, before);
  });
});
