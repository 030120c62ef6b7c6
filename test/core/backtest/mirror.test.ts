/** A short of falling prices is a long of rising ones: the same targets with the other sign, on mirrored prices, win the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  backtestRules,
  runBacktest,
  type BacktestRulesInput,
  type BacktestRun,
} from '../../../core/backtest/index.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';
import { seriesOf } from './scene.ts';

const BARS = 60;
type Row = readonly [open: number, high: number, low: number, close: number];

const run = (rows: readonly Row[], targets: readonly number[], rules: BacktestRulesInput) =>
  runBacktest(
    [seriesOf(rows, targets)],
    backtestRules({ allowShort: true, costScale: 0, ...rules }),
  );

function assertMirrored(long: BacktestRun, short: BacktestRun): void {
  const near = (a: number, b: number): void =>
    assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)), `${a} is not ${b}`);
  assert.equal(long.trades.length, short.trades.length);
  long.trades.forEach((one, i) => {
    const other = short.trades[i]!;
    assert.notEqual(one.side, other.side);
    for (const key of ['entryTime', 'exitTime', 'barsHeld', 'exitReason', 'open'] as const) {
      assert.equal(one[key], other[key], key);
    }
    near(one.netPnl, other.netPnl);
    near(one.netReturn, other.netReturn);
  });
  long.equity.forEach((money, t) => near(money, short.equity[t]!));
}

/** Bars of a random walk; `gaps`: they do not open where the one before closed. */
function walk(seed: number, gaps: boolean): Row[] {
  const uniform = seededUniform(seed);
  const step = (size: number): number => 1 + size * (uniform() - 0.5);
  let last = 100;
  return Array.from({ length: BARS }, () => {
    const open = gaps ? last * step(0.03) : last;
    last = open * step(0.06);
    const high = Math.max(open, last) * (1 + 0.015 * uniform());
    return [open, high, Math.min(open, last) * (1 - 0.015 * uniform()), last];
  });
}

const swap = ([open, high, low, close]: Row, at: (price: number) => number): Row => [
  at(open),
  at(low),
  at(high),
  at(close),
];

describe('mirrored prices and targets bring mirrored trades and the same equity', () => {
  const seen = new Set<string | null>();

  test('of positions of one bar at returns of the other sign, sized anew each time', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const uniform = seededUniform(seed + 500);
      const rows = walk(seed, false);
      let last = 100;
      const mirrored = rows.map((row) => {
        const opened = last;
        const made = swap(row, (price) => opened * (2 - price / row[0]));
        last = made[3];
        return made;
      });
      const targets = rows.map((_, t) => (t % 2 === 0 ? uniform() * 2 - 1 : 0));
      const other = targets.map((target) => -target);
      const stops = { stopLoss: 0.02, trailing: 0.015, takeProfit: 0.02 };
      for (const rules of [{}, { stops }, { stops: { takeProfit: 0.01 } }]) {
        const [one, two] = [run(rows, targets, rules), run(mirrored, other, rules)];
        assertMirrored(one, two);
        assert.ok(one.trades.length >= BARS / 2 - 1);
        for (const { exitReason } of one.trades) seen.add(exitReason);
      }
    }
  });

  test('of positions of many bars, mirrored at the price of their entry, gaps and stops in them', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const rows = walk(seed, true);
      // Decided at the first close, entered at the next open.
      const entry = rows[1]![0];
      const mirrored = rows.map((row) => swap(row, (price) => 2 * entry - price));
      const target = seed % 2 === 0 ? 0.7 : -0.4;
      const end = 20 + (seed % 30);
      const targets = rows.map((_, t) => (t === 0 ? target : t === end ? 0 : NaN));
      const other = targets.map((one) => -one);
      for (const stops of [{}, { stopLoss: 0.06 }, { takeProfit: 0.06, stopLoss: 0.1 }]) {
        const rules = { stops };
        const [one, two] = [run(rows, targets, rules), run(mirrored, other, rules)];
        assertMirrored(one, two);
        for (const { exitReason } of one.trades) seen.add(exitReason);
      }
    }
  });

  test('and every kind of exit was among them', () => {
    for (const reason of ['signal', 'stopLoss', 'trailingStop', 'takeProfit']) {
      assert.ok(seen.has(reason), reason);
    }
  });
});
