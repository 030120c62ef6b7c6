import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  backtestRules,
  runBacktest,
  startingAt,
  type BacktestRulesInput,
  type InstrumentSeries,
} from '../../../core/backtest/index.ts';
import { RatchetError } from '../../../core/errors.ts';
import { instantsOf } from '../../../core/backtest/instants.ts';
import { barsOf, daily, hourly, seriesOf } from './scene.ts';

const run = (series: InstrumentSeries, rules: BacktestRulesInput = {}) =>
  runBacktest([series], backtestRules({ initialEquity: 1000, ...rules }));
const near = (a: number, b: number, what?: string): void =>
  assert.ok(Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(b)), `${what ?? ''} ${a} is not ${b}`);
const flat = (price: number): number[] => [price, price, price, price];

const RISING = [flat(100), [110, 121, 108, 120], [125, 131, 124, 130], [131, 140, 130, 139]];

describe('fills', () => {
  test('a decision at a close fills at the next open', () => {
    const { equity, trades, weights, cash } = run(seriesOf(RISING, [1, NaN, 0, NaN]));
    near(equity[0]!, 1000);
    near(equity[1]!, (1000 / 110) * 120);
    near(weights[1]!, 1);
    near(cash[1]!, 0);
    near(equity[3]!, (1000 / 110) * 131);
    const [trade] = trades;
    assert.equal(trades.length, 1);
    assert.equal(trade!.entryPrice, 110);
    assert.equal(trade!.exitPrice, 131);
    assert.equal(trade!.barsHeld, 2);
    assert.equal(trade!.exitReason, 'signal');
    assert.equal(trade!.entryTime, Date.UTC(2024, 0, 2));
  });

  test('at the next close where the rule says so, and later by the delay', () => {
    const series = seriesOf(RISING, [1, NaN, NaN, NaN]);
    near(run(series, { fill: { at: 'nextClose' } }).equity[3]!, (1000 / 120) * 139);
    near(run(series, { fill: { delayBars: 1 } }).equity[3]!, (1000 / 125) * 139);
    near(run(series, { fill: { at: 'nextClose', delayBars: 1 } }).equity[3]!, (1000 / 130) * 139);
  });

  test('the last bar cannot fill', () => {
    for (const at of ['nextOpen', 'nextClose'] as const) {
      const { equity, trades } = run(seriesOf(RISING, [NaN, NaN, NaN, 1]), { fill: { at } });
      assert.deepEqual([...equity], [1000, 1000, 1000, 1000]);
      assert.deepEqual(trades, []);
    }
  });

  test('a trade open at the end is flagged and valued at the last close', () => {
    const [trade] = run(seriesOf(RISING, [0.5, NaN, NaN, NaN])).trades;
    assert.equal(trade!.open, true);
    assert.equal(trade!.exitReason, null);
    assert.equal(trade!.exitPrice, 139);
    near(trade!.netPnl, (500 / 110) * 29);
  });

  test('an order waits for a bar that has a price', () => {
    const rows = [flat(100), flat(NaN), flat(120), flat(130)];
    const { equity } = run(seriesOf(rows, [1, NaN, NaN, NaN]));
    assert.equal(equity[1], 1000);
    near(equity[3]!, (1000 / 120) * 130);
  });
});

describe('costs', () => {
  const rules = { costs: { feeBps: 10, slippageBps: 4, halfSpreadBps: 6 } };
  const { costs: _, ...series } = seriesOf(RISING, [1, 0, NaN, NaN]);

  test('each side pays fee, slippage and half spread; all of equity is all after costs', () => {
    const { equity, trades, cash, costs } = run(series, rules);
    const units = 1000 / (110 * 1.001 * 1.001);
    near(cash[1]!, 0);
    near(equity[2]!, units * 125 * 0.999 * 0.999);
    near(trades[0]!.entryPrice, 110 * 1.001);
    near(trades[0]!.exitPrice, 125 * 0.999);
    near(trades[0]!.grossPnl, units * 15);
    near(trades[0]!.netPnl, equity[2]! - 1000);
    near(trades[0]!.costs, costs[1]! + costs[2]!);
  });

  test('without any given they are those of the market, and scale', () => {
    const market = run(series);
    const given = run(series, { costs: { feeBps: 5, slippageBps: 2 } });
    assert.deepEqual(market.equity, given.equity);
    const twice = run(series, { costs: { feeBps: 10, slippageBps: 4 } });
    assert.deepEqual(run(series, { costScale: 2 }).equity, twice.equity);
    near(run(series, { costScale: 0 }).equity[2]!, (1000 / 110) * 125);
  });

  test('borrowing costs a short, financing what is bought on credit', () => {
    const rows = [flat(100), flat(100), flat(100)];
    const short = run(seriesOf(rows, [-1, NaN, NaN]), {
      allowShort: true,
      borrowBpsPerYear: 3652.5,
    });
    near(short.equity[1]!, 999);
    near(short.trades[0]!.costs, 2);
    const credit = run(seriesOf(rows, [2, NaN, NaN]), {
      maxLeverage: 2,
      maxWeight: 2,
      financingBpsPerYear: 3652.5,
    });
    near(credit.cash[1]!, -1001);
    near(credit.equity[2]!, 1000 - 1 - 1.001);
  });
});

describe('limits', () => {
  test('a short needs leave', () => {
    const rows = [flat(100), flat(100), flat(90), flat(90)];
    assert.deepEqual(
      [...run(seriesOf(rows, [-1, NaN, NaN, NaN])).equity],
      [1000, 1000, 1000, 1000],
    );
    const { equity, trades } = run(seriesOf(rows, [-1, NaN, 0, NaN]), { allowShort: true });
    near(equity[2]!, 1100);
    assert.equal(trades[0]!.side, 'short');
    near(trades[0]!.netReturn, 0.1);
  });

  test('targets are cut to the largest weight, the sum to the leverage', () => {
    const rows = [flat(100), flat(100)];
    near(run(seriesOf(rows, [1, NaN]), { maxWeight: 0.3 }).weights[1]!, 0.3);
    const two = ['A', 'B'].map((id) => seriesOf(rows, [0.8, NaN], { bars: barsOf(rows, id) }));
    const both = runBacktest(two, backtestRules());
    near(both.weights[2]!, 0.5);
    near(both.weights[3]!, 0.5);
    near(both.cash[1]!, 0);
    const free = runBacktest(two, backtestRules({ maxLeverage: 2 }));
    near(free.exposure[1]!, 1.6);
  });

  test('leverage holds after costs', () => {
    const given = seriesOf([flat(100), flat(100)], [2, NaN], {
      costs: { feeBps: 100, slippageBps: 0, halfSpreadBps: 0 },
    });
    const { exposure, cash, equity } = run(given, { maxLeverage: 2, maxWeight: 2 });
    near(exposure[1]!, 2);
    near(cash[1]!, -equity[1]!);
  });

  test('small changes of weight and small trades are left out, going flat is not', () => {
    const rows = [flat(100), flat(100), flat(100), flat(100)];
    const targets = [0.5, 0.52, 0.45, 0];
    const { weights } = run(seriesOf([...rows, flat(100)], [...targets, NaN]), {
      noTradeBand: 0.03,
    });
    assert.deepEqual([...weights], [0, 0.5, 0.5, 0.45, 0]);
    const least = run(seriesOf([...rows, flat(100)], [...targets, NaN]), { minTradeValue: 60 });
    assert.deepEqual([...least.weights], [0, 0.5, 0.5, 0.5, 0]);
  });

  test('what is not restated drifts', () => {
    const rows = [flat(100), flat(100), flat(200), flat(200)];
    near(run(seriesOf(rows, [0.5, NaN, NaN, NaN])).weights[3]!, 2 / 3);
    near(run(seriesOf(rows, [0.5, 0.5, 0.5, NaN])).weights[3]!, 0.5);
    const changed = run(seriesOf(rows, [0.5, 0.5, 0.5, NaN]), { rebalance: 'changed' });
    near(changed.weights[3]!, 2 / 3);
  });

  test('adds and cuts belong to one trade, a change of sign ends it', () => {
    const rows = [100, 100, 110, 120, 130, 130].map(flat);
    const { trades } = run(seriesOf(rows, [0.5, 1, 0.25, -0.5, NaN, NaN]), { allowShort: true });
    assert.equal(trades.length, 2);
    assert.deepEqual(
      trades.map(({ side, adds, cuts, open }) => ({ side, adds, cuts, open })),
      [
        { side: 'long', adds: 1, cuts: 1, open: false },
        { side: 'short', adds: 0, cuts: 0, open: true },
      ],
    );
    assert.equal(trades[0]!.exitTime, trades[1]!.entryTime);
  });

  test('equity that is gone ends the run', () => {
    const rows = [flat(100), flat(100), flat(250), flat(50), flat(50)];
    const ruined = run(seriesOf(rows, [-1, NaN, NaN, 1, NaN]), { allowShort: true });
    assert.equal(ruined.ruined, true);
    assert.equal(ruined.trades[0]!.exitReason, 'ruin');
    assert.deepEqual([...ruined.equity.slice(2)], [-500, -500, -500]);
  });
});

test('a session opens after midnight UTC: nothing knows its open before', () => {
  const time = Float64Array.of(Date.UTC(2024, 6, 3), Date.UTC(2024, 6, 5));
  const bars = { ...barsOf([flat(1), flat(1)]), openTime: time };
  const hour = 3_600_000;
  const { openAt, closeAt } = instantsOf(bars, daily);
  // 2024-07-03 closed early, at 13:00 in New York.
  assert.deepEqual(
    [...openAt].map((at, t) => (at - time[t]!) / hour),
    [14.5, 14.5],
  );
  assert.deepEqual(
    [...closeAt].map((at, t) => (at - time[t]!) / hour),
    [17, 20],
  );
  const open = instantsOf(bars, hourly);
  assert.deepEqual([...open.openAt], [...time]);
});

describe('input', () => {
  const rows = [flat(100), flat(100)];
  const code = (series: InstrumentSeries[]): string => {
    try {
      runBacktest(series, backtestRules());
    } catch (error) {
      if (error instanceof RatchetError) return error.code;
    }
    return 'none';
  };

  test('that does not fit is refused', () => {
    assert.equal(code([]), 'backtest.empty');
    assert.equal(code([seriesOf(rows, [1])]), 'backtest.lengths');
    assert.equal(code([seriesOf(rows, [1, 1]), seriesOf(rows, [1, 1])]), 'backtest.duplicate');
    assert.equal(code([seriesOf(rows, [Infinity, 1])]), 'backtest.target');
    assert.throws(() => backtestRules({ maxLeverage: 0 }));
    assert.throws(() => backtestRules(JSON.parse('{"leverage":2}')));
  });

  test('a later start takes over the standing target', () => {
    const series = seriesOf(RISING, [1, NaN, NaN, NaN]);
    const [later] = startingAt([series], Date.UTC(2024, 0, 2) + 1);
    assert.equal(later!.targets.length, 2);
    near(run(later!).equity[1]!, (1000 / 131) * 139);
    assert.deepEqual(startingAt([series], Date.UTC(2025, 0, 1)), []);
  });
});
