import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BacktestProgress } from '../../../api/cli/backtest-progress.ts';

const at = (seconds: number): string =>
  new Date(Date.UTC(2026, 0, 5) + 1000 * seconds).toISOString();

test('a backtest says how far it is on one line, and the time that is left', () => {
  const progress = new BacktestProgress();
  const words = (kind: string, seconds: number, payload = {}) =>
    progress.wordsOf({ kind, at: at(seconds), payload });
  const live = (text: string) => ({ text, live: true });
  assert.deepEqual(words('plan', 0, { folds: 4, strategies: ['model', 'cross'] }), [
    { text: 'strategies model, cross; 4 stretches of the period ask a model' },
    live('stretches answered: 0 of 4'),
  ]);
  const trained = words('fold', 20, { status: 'completed' });
  assert.deepEqual(trained, [live('stretches answered: 0 of 4, models trained: 1')]);
  const first = 'stretches answered: 1 of 4, models trained: 1, at most 1m30s left';
  assert.deepEqual(words('answers', 30), [live(first)]);
  const failed = { status: 'failed', from: '2015-01-02T00:00:00Z', message: 'too few bars' };
  assert.deepEqual(words('fold', 40, failed), [
    { text: 'the model from 2015-01-02 on failed: too few bars' },
    live('stretches answered: 1 of 4, models trained: 1, at most 2m00s left'),
  ]);
  for (const seconds of [50, 60]) words('answers', seconds);
  assert.deepEqual(words('answers', 80), [live('stretches answered: 4 of 4, models trained: 1')]);
  assert.deepEqual(words('result', 90, { strategy: 'cross' }), [{ text: 'simulated cross' }]);
  assert.deepEqual(words('done', 91), []);
});

test('one that asks a model that there is, trains none; one that asks none, waits for none', () => {
  const progress = new BacktestProgress();
  progress.wordsOf({ kind: 'plan', at: at(0), payload: { folds: 2, strategies: ['model'] } });
  const [answered] = progress.wordsOf({ kind: 'answers', at: at(10), payload: {} });
  assert.equal(answered!.text, 'stretches answered: 1 of 2, at most 10s left');
  const one = { kind: 'plan', at: at(0), payload: { folds: 1, strategies: ['model'] } };
  const [told] = new BacktestProgress().wordsOf(one);
  assert.equal(told!.text, 'strategies model; 1 stretch of the period asks a model');
  const none = { kind: 'plan', at: at(0), payload: { folds: 0, strategies: ['cross'] } };
  assert.equal(new BacktestProgress().wordsOf(none).length, 1);
});
