import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BacktestProgress } from '../../../api/cli/backtest-progress.ts';

const at = (seconds: number): string =>
  new Date(Date.UTC(2026, 0, 5) + 1000 * seconds).toISOString();

test('a backtest says how far it is on one line, and the time that is left', () => {
  const progress = new BacktestProgress();
  const words = (kind: string, seconds: number, payload = {}) =>
    progress.wordsOf({ kind, at: at(seconds), payload });
  const plan = words('plan', 0, { folds: 4, strategies: ['model', 'cross'] });
  assert.deepEqual(plan, {
    text: 'strategies model, cross; 4 stretches of the period ask a model',
  });
  const trained = words('fold', 20, { status: 'completed' });
  assert.deepEqual(trained, { text: 'stretches answered: 0 of 4, models trained: 1', live: true });
  const answered = words('answers', 30);
  assert.deepEqual(answered, {
    text: 'stretches answered: 1 of 4, models trained: 1, at most 1m30s left',
    live: true,
  });
  const failed = { status: 'failed', from: '2015-01-02T00:00:00Z', message: 'too few bars' };
  assert.deepEqual(words('fold', 40, failed), {
    text: 'the model from 2015-01-02 on failed: too few bars',
  });
  for (const seconds of [50, 60]) words('answers', seconds);
  assert.match(words('answers', 80)!.text, /^stretches answered: 4 of 4, models trained: 1$/);
  assert.deepEqual(words('result', 90, { strategy: 'cross' }), { text: 'simulated cross' });
  assert.equal(words('done', 91), undefined);
});

test('one that asks a model that there is, trains none and says nothing of it', () => {
  const progress = new BacktestProgress();
  progress.wordsOf({ kind: 'plan', at: at(0), payload: { folds: 2, strategies: ['model'] } });
  const { text } = progress.wordsOf({ kind: 'answers', at: at(10), payload: {} })!;
  assert.equal(text, 'stretches answered: 1 of 2, at most 10s left');
});
