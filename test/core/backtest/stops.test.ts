import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  backtestRules,
  runBacktest,
  type BacktestRulesInput,
  type InstrumentSeries,
  type Trade,
} from '../../../core/backtest/index.ts';
import { seriesOf } from './scene.ts';

const trades = (series: InstrumentSeries, rules: BacktestRulesInput): readonly Trade[] =>
  runBacktest([series], backtestRules(rules)).trades;
const exits = (of: readonly Trade[]): (string | number)[][] =>
  of.map(({ exitReason, exitPrice, barsHeld }) => [exitReason ?? 'open', exitPrice, barsHeld]);
const flat = (price: number): number[] => [price, price, price, price];
const stay = [NaN, NaN, NaN, NaN];

describe('stops', () => {
  test('fill at the level inside a bar, at the open beyond a gap', () => {
    const inside = [flat(100), [100, 101, 99, 100], [98, 99, 90, 92], flat(92)];
    assert.deepEqual(exits(trades(seriesOf(inside, [1, NaN, NaN, NaN]), stop(0.05))), [
      ['stopLoss', 95, 1],
    ]);
    const gap = [flat(100), flat(100), [80, 85, 79, 84], flat(84)];
    assert.deepEqual(exits(trades(seriesOf(gap, [1, NaN, NaN, NaN]), stop(0.05))), [
      ['stopLoss', 80, 1],
    ]);
  });

  test('mirror for shorts', () => {
    const inside = [flat(100), flat(100), [103, 112, 102, 104], flat(104)];
    const rules = { allowShort: true, ...stop(0.1) };
    const [[reason, price]] = exits(trades(seriesOf(inside, [-1, NaN, NaN, NaN]), rules)) as [
      [string, number],
    ];
    assert.equal(reason, 'stopLoss');
    assert.ok(Math.abs(price - 110) < 1e-9);
    const gap = [flat(100), flat(100), [120, 125, 119, 124], flat(124)];
    assert.deepEqual(exits(trades(seriesOf(gap, [-1, NaN, NaN, NaN]), rules)), [
      ['stopLoss', 120, 1],
    ]);
  });

  test('also in the bar of the entry, and on its average price', () => {
    const rows = [flat(100), [100, 101, 94, 99], flat(99)];
    assert.deepEqual(exits(trades(seriesOf(rows, [1, NaN, NaN]), stop(0.05))), [
      ['stopLoss', 95, 0],
    ]);
  });

  test('trail the best price of the bars before, not of the bar itself', () => {
    const rows = [
      flat(100),
      [100, 120, 100, 118],
      [118, 150, 109, 148],
      [148, 149, 130, 131],
      flat(131),
    ];
    const given = seriesOf(rows, [1, NaN, NaN, NaN, NaN]);
    // 120 x 0.9 = 108 is below the 109 of the second bar; 150 x 0.9 = 135 is hit in the third.
    assert.deepEqual(exits(trades(given, { stops: { trailing: 0.1 } })), [
      ['trailingStop', 135, 2],
    ]);
  });

  test('come before the profit target where both lie inside a bar', () => {
    const rows = [flat(100), flat(100), [100, 125, 90, 110], flat(110)];
    const given = seriesOf(rows, [1, ...stay.slice(1)]);
    const rules = { stops: { stopLoss: 0.05, takeProfit: 0.2 } };
    assert.deepEqual(exits(trades(given, rules)), [['stopLoss', 95, 1]]);
    assert.deepEqual(exits(trades(given, { stops: { takeProfit: 0.2 } })), [
      ['takeProfit', 120, 1],
    ]);
  });

  test('keep out until the target changes', () => {
    const rows = [100, 100, 80, 80, 80, 80, 80].map(flat);
    const again = trades(seriesOf(rows, [1, 1, 1, 1, 0.5, 0.5, NaN]), stop(0.1));
    assert.deepEqual(
      again.map(({ entryTime, open }) => [(entryTime - Date.UTC(2024, 0, 1)) / 86_400_000, open]),
      [
        [1, false],
        [5, true],
      ],
    );
    const side = { stops: { stopLoss: 0.1, reentry: 'changedSide' } } as const;
    assert.equal(trades(seriesOf(rows, [1, 1, 1, 1, 0.5, 0.5, NaN]), side).length, 1);
    assert.equal(trades(seriesOf(rows, [1, 1, 0, 1, 1, 1, NaN]), side).length, 2);
  });

  test('are measured from the average cost of what is held: adds move it, cuts do not', () => {
    const end = (rows: number[][], targets: number[], rules: BacktestRulesInput) => {
      const given = seriesOf(rows, targets);
      const made = runBacktest([given], backtestRules({ allowShort: true, ...rules }));
      assert.equal(made.trades.length, 1);
      return {
        reason: made.trades[0]!.exitReason,
        equity: Math.round(made.equity.at(-1)! * 1e6) / 1e6,
      };
    };
    // Nearly all is sold at 100 and bought again at 200: a tenth below that is lost, and nothing was won where it stays.
    const before = [100, 100, 100].map(flat);
    const again = [...before, flat(200), [200, 200, 170, 175], flat(175)];
    const targets = [1, 0.001, 1, NaN, NaN, NaN];
    assert.deepEqual(end(again, targets, stop(0.1)), { reason: 'stopLoss', equity: 9000 });
    const still = [...before, ...[200, 200, 200].map(flat)];
    const profit = { stops: { takeProfit: 0.2 } };
    assert.deepEqual(end(still, targets, profit), { reason: null, equity: 10_010 });
    // Shorts mirror it.
    const fallen = [...before, flat(50), [50, 60, 50, 60], flat(60)];
    const short = targets.map((target) => -target);
    assert.deepEqual(end(fallen, short, stop(0.1)), { reason: 'stopLoss', equity: 8999 });
    // Half is sold at 150: what is left still cost 100.
    const cut = [flat(100), flat(100), flat(150), [150, 150, 89, 95], flat(95)];
    const half = [1, 0.5, NaN, NaN, NaN];
    assert.deepEqual(end(cut, half, stop(0.1)), { reason: 'stopLoss', equity: 12_000 });
  });

  test('a bar without an open ends nothing: the next one that has a price does', () => {
    const rows = [flat(100), flat(100), [NaN, 101, 80, 85], [84, 86, 83, 85], flat(85)];
    const long = trades(seriesOf(rows, [1, 1, 1, 1, 1]), stop(0.1));
    assert.deepEqual(exits(long), [['stopLoss', 84, 2]]);
    const rise = [flat(100), flat(100), [NaN, 130, 99, 125], [126, 127, 120, 126], flat(126)];
    const rules = { allowShort: true, stops: { takeProfit: 0.2, stopLoss: 0.2 } };
    assert.deepEqual(exits(trades(seriesOf(rise, [1, 1, 1, 1, 1]), rules)), [
      ['takeProfit', 126, 2],
    ]);
    assert.deepEqual(exits(trades(seriesOf(rise, [-1, -1, -1, -1, -1]), rules)), [
      ['stopLoss', 126, 2],
    ]);
  });

  test('an order on its way that repeats the stopped target is none', () => {
    const rows = [100, 100, 100, 80, 80, 80].map(flat);
    const delayed = { fill: { delayBars: 1 }, ...stop(0.1) };
    assert.equal(trades(seriesOf(rows, [1, NaN, 1, NaN, NaN, NaN]), delayed).length, 1);
    assert.equal(trades(seriesOf(rows, [1, NaN, 0.5, NaN, NaN, NaN]), delayed).length, 2);
  });

  test('an emergency closes at the next open and lets nothing in', () => {
    const rows = [flat(100), flat(100), [100, 100, 100, 99], [97, 98, 96, 97], flat(97), flat(97)];
    const scores = Float64Array.of(0, 0, 0.8, 0.9, 0.1, 0);
    const given = seriesOf(rows, [1, 1, 1, 0.5, 1, 1], { emergencyScore: scores });
    const made = trades(given, { stops: { emergencyScore: 0.8 } });
    assert.deepEqual(exits(made), [
      ['emergency', 97, 2],
      ['open', 97, 0],
    ]);
    assert.equal(made[1]!.entryTime, Date.UTC(2024, 0, 6));
    assert.equal(trades(given, { stops: { emergencyScore: 0.95 } }).length, 1);
    assert.equal(trades(given, {}).length, 1, 'off unless a rule sets it');
  });

  function stop(stopLoss: number): BacktestRulesInput {
    return { stops: { stopLoss } };
  }
});
