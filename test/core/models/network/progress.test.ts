import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lstmParams } from '../../../../core/models/lstm-multi-horizon.ts';
import { advance, initialProgress } from '../../../../core/models/network/progress.ts';

const rules = lstmParams.parse({
  learningRate: 0.1,
  earlyStopping: { patience: 3, minDelta: 0.5 },
  reduceLr: { factor: 0.1, patience: 2, minDelta: 0, minLearningRate: 0.005 },
});

/** What happened after each of these validation losses. */
function play(losses: readonly number[]) {
  let progress = initialProgress(rules);
  return losses.map((loss) => {
    const step = advance(progress, loss, rules);
    progress = step.progress;
    return { improved: step.improved, stop: step.stop, rate: step.progress.learningRate };
  });
}

describe('early stopping and learning rate', () => {
  it('counts as better only what is better by minDelta', () => {
    assert.deepEqual(
      play([10, 9.6, 9.4, 9.4]).map((s) => s.improved),
      [true, false, true, false],
    );
  });

  it('stops after `patience` epochs without a gain, not before', () => {
    assert.deepEqual(
      play([10, 10, 10, 10]).map((s) => s.stop),
      [false, false, false, true],
    );
    assert.ok(play([10, 10, 10, 9, 9, 9]).every((s) => !s.stop));
  });

  it('lowers the rate on a plateau, again and again, down to the floor', () => {
    const rates = play([10, 10, 10, 10, 10, 10, 10]).map((s) => Number(s.rate.toFixed(6)));
    assert.deepEqual(rates, [0.1, 0.1, 0.01, 0.01, 0.005, 0.005, 0.005]);
  });

  it('never raises a rate that began below the floor', () => {
    const low = { ...rules, learningRate: 0.001 };
    let progress = initialProgress(low);
    for (let i = 0; i < 6; i++) progress = advance(progress, 1, low).progress;
    assert.equal(progress.learningRate, 0.001);
  });
});
