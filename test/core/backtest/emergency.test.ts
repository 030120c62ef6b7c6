/** The emergency score says how urgent it is to leave a long: what it ends, what it keeps out, and until when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  backtestRules,
  runBacktest,
  type BacktestRulesInput,
  type Trade,
} from '../../../core/backtest/index.ts';
import { seriesOf } from './scene.ts';

const flat = (price: number): number[] => [price, price, price, price];
const DAY = 86_400_000;

/** Side, number of the bars of entry and exit, and why it ended. */
const told = (trades: readonly Trade[]): (string | number)[][] =>
  trades.map(({ side, entryTime, exitTime, exitReason }) => [
    side,
    ...[entryTime, exitTime].map((time) => (time - Date.UTC(2024, 0, 1)) / DAY),
    exitReason ?? 'open',
  ]);

function run(
  targets: readonly number[],
  scores: readonly number[],
  rules: BacktestRulesInput = {},
  rows = targets.map((_, t) => flat(100 - t)),
): (string | number)[][] {
  const given = seriesOf(rows, targets, { emergencyScore: Float64Array.from(scores) });
  const stops = { emergencyScore: 0.8, ...rules.stops };
  return told(runBacktest([given], backtestRules({ ...rules, stops })).trades);
}

describe('an emergency of shorts', () => {
  const short = { allowShort: true };

  test('is none: a fall is what they wait for', () => {
    assert.deepEqual(run([-1, -1, -1, -1, -1], [0, 0, 0.9, 0.9, 0], short), [
      ['short', 1, 4, 'open'],
    ]);
  });

  test('lets them in, also where a long is left at the same open', () => {
    assert.deepEqual(run([0, -1, NaN, NaN], [0, 1, 1, 1], short), [['short', 2, 3, 'open']]);
    assert.deepEqual(run([1, 1, -1, NaN, NaN], [0, 0, 1, 1, 1], short), [
      ['long', 1, 3, 'emergency'],
      ['short', 3, 4, 'open'],
    ]);
  });

  test('ends them where a long is wanted, which waits until it is over', () => {
    assert.deepEqual(run([-1, -1, 1, NaN, NaN, NaN], [0, 0, 1, 1, 0, 0], short), [
      ['short', 1, 3, 'signal'],
      ['long', 5, 5, 'open'],
    ]);
  });
});

describe('the pause after an emergency', () => {
  const scores = [0, 0, 0.8, 0.9, 0.1, 0];
  const out = [
    ['long', 1, 3, 'emergency'],
    ['long', 5, 5, 'open'],
  ];

  test('ends with it, for a strategy that always wants the same', () => {
    assert.deepEqual(run([1, 1, 1, 1, 1, 1], scores), out);
    assert.deepEqual(run([1, 1, 1, 1, 1, 1], scores, { rebalance: 'changed' }), out);
    assert.deepEqual(run([1, 1, 1, 1, 1, 1], scores, { stops: { reentry: 'changedSide' } }), out);
  });

  test('ends with it for what was decided once, or while it lasted', () => {
    assert.deepEqual(run([1, NaN, NaN, NaN, NaN, NaN], scores), out);
    assert.deepEqual(run([1, NaN, NaN, 0.5, NaN, NaN], scores), out);
    assert.deepEqual(run([0, 0, 1, NaN, NaN, NaN], scores), [['long', 5, 5, 'open']]);
  });

  test('leaves out what is no longer wanted', () => {
    assert.deepEqual(run([1, NaN, NaN, 0, NaN, NaN], scores), out.slice(0, 1));
    assert.deepEqual(run([1, NaN, 0, NaN, NaN, NaN], scores), out.slice(0, 1));
  });

  test('keeps what fills at a close out as well', () => {
    const atClose = { fill: { at: 'nextClose' } } as const;
    assert.deepEqual(run([1, 1, 1, 1, 1, 1], scores, atClose), out);
    assert.deepEqual(run([1, 1, 1, 0.5, 1, 1], scores, atClose), out);
  });

  test('is not that of a price stop, which waits for another target', () => {
    const rows = [100, 100, 80, 80, 80, 80].map(flat);
    const stopped = run([1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0], { stops: { stopLoss: 0.1 } }, rows);
    assert.deepEqual(stopped, [['long', 1, 2, 'stopLoss']]);
  });
});

test('an exit waits for a bar that has a price', () => {
  const rows = [flat(100), flat(100), flat(100), flat(NaN), flat(90), flat(90)];
  assert.deepEqual(run([1, 1, 1, 1, 1, 1], [0, 0, 1, NaN, 0, 0], {}, rows), [
    ['long', 1, 4, 'emergency'],
    ['long', 5, 5, 'open'],
  ]);
});
