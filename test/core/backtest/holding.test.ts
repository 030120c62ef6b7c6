/** Buy-and-hold as a strategy, without stops, is the benchmark that every result has beside it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backtestRules, type BacktestRulesInput } from '../../../core/backtest/index.ts';
import { simulate } from '../../../core/backtest/simulate.ts';
import { sliceBars, type Bars } from '../../../core/bars/index.ts';
import { parseStrategy } from '../../../core/spec/index.ts';
import { nasdaq, sp500, walkBars } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

const sessions = sliceBars(sp500(), 0, 600).openTime;
const walks = [1, 2, 3, 4].map((seed) => walkBars(sessions, seed));

async function holding(bars: readonly Bars[], rules: BacktestRulesInput, from = 0) {
  const [first] = await simulate(
    {
      instruments: bars.map((one) => ({ bars: one, calendar: daily })),
      strategies: { hold: parseStrategy({ kind: 'buy-and-hold' }) },
      rules: backtestRules(rules),
      from,
      to: Infinity,
      paths: 0,
      seed: 1,
      earlierSharpes: [],
    },
    () => Promise.resolve(),
  );
  return first!.result;
}

const RULES: readonly BacktestRulesInput[] = [
  {},
  { fill: { at: 'nextClose' }, costs: { feeBps: 30, slippageBps: 10 } },
  { noTradeBand: 0.1, minTradeValue: 100, costScale: 0, allowShort: true },
];

const costs = { feeBps: 100, slippageBps: 20 };

describe('buy-and-hold as a strategy is the benchmark, bit for bit', () => {
  for (const [at, rules] of RULES.entries()) {
    test(`of one instrument, whatever its bars (rules ${at})`, async () => {
      for (const bars of [...walks, sp500(), nasdaq()]) {
        const { curve, metrics, buyAndHold, trades } = await holding([bars], rules);
        assert.deepEqual(curve.equity, curve.buyAndHold);
        assert.deepEqual(metrics, buyAndHold);
        assert.equal(trades.length, 1);
      }
    });

    test(`also without costs, where its benchmark has none either (rules ${at})`, async () => {
      for (const bars of walks) {
        const { withoutCosts } = await holding([bars], { ...rules, costs });
        assert.ok(Math.abs(withoutCosts['alpha']!) < 1e-12, `${withoutCosts['alpha']}`);
        assert.ok(Math.abs(withoutCosts['beta']! - 1) < 1e-12, `${withoutCosts['beta']}`);
      }
    });

    test(`of several, which drift from what was decided once (rules ${at})`, async () => {
      const { curve } = await holding([...walks, sp500()], { ...rules, rebalance: 'changed' });
      assert.deepEqual(curve.equity, curve.buyAndHold);
    });
  }

  test('also through 2000 to 2018, where emergencies have it sell and buy again if a rule says so', async () => {
    const from = Date.UTC(2000, 0, 1);
    const { metrics, buyAndHold } = await holding([sp500()], {}, from);
    assert.equal(metrics['totalReturn'], buyAndHold['totalReturn']);
    const careful = await holding([sp500()], { stops: { emergencyScore: 0.8 } }, from);
    assert.deepEqual(careful.buyAndHold, buyAndHold);
    const left = careful.trades.filter(({ exitReason }) => exitReason === 'emergency').length;
    assert.ok(left >= 3 && careful.trades.at(-1)!.open, `${left} exits`);
    assert.ok(careful.metrics['timeInMarket']! > 0.9, `${careful.metrics['timeInMarket']}`);
  });
});
