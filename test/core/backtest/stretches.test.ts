import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backtestRules,
  runBacktest,
  startingAt,
  type BacktestRulesInput,
  type InstrumentSeries,
} from '../../../core/backtest/index.ts';
import { mixedScene } from './scene.ts';

const emergencyScore = 0.8;
const RULES: readonly BacktestRulesInput[] = [
  {},
  { rebalance: 'changed', fill: { at: 'nextClose' } },
  { rebalance: 'changed', stops: { stopLoss: 0.02 } },
  { rebalance: 'changed', stops: { trailing: 0.03, reentry: 'changedSide' } },
  { stops: { takeProfit: 0.02, trailing: 0.02 }, fill: { at: 'nextClose', delayBars: 1 } },
  { allowShort: true, stops: { stopLoss: 0.03, takeProfit: 0.04, emergencyScore } },
  {
    allowShort: true,
    rebalance: 'changed',
    maxLeverage: 2,
    maxWeight: 2,
    stops: { emergencyScore },
  },
  { allowShort: true, maxLeverage: 20, maxWeight: 20, stops: { trailing: 0.3 } },
];

/** Few decisions: long stretches through which nothing trades. */
const sparse = (series: InstrumentSeries, of: number): InstrumentSeries => ({
  ...series,
  targets: series.targets.map((target, t) => (t % 23 === of ? target : NaN)),
});

test('rows written together are those of a clock that stops at every bar', () => {
  let [trades, ruined] = [0, 0];
  for (let seed = 1; seed <= 8; seed++) {
    const dense = mixedScene(seed);
    const few = dense.map((series, i) => sparse(series, i));
    const later = startingAt(few, few[0]!.bars.openTime[6]!);
    const wild = few.map((one) => ({ ...one, targets: one.targets.map((target) => target * 15) }));
    for (const scene of [dense, few, wild, [few[0]!], [few[2]!], [wild[2]!], later]) {
      for (const rules of RULES) {
        const run = runBacktest(scene, backtestRules(rules));
        // Interest that is nothing, but is taken at every event.
        const financingBpsPerYear = Number.MIN_VALUE;
        const stepped = runBacktest(scene, backtestRules({ ...rules, financingBpsPerYear }));
        assert.deepEqual(run, stepped);
        trades += run.trades.length;
        if (run.ruined) ruined++;
      }
    }
  }
  assert.ok(trades > 5_000, `${trades} trades`);
  assert.ok(ruined > 3, `${ruined} of the runs ended early`);
});
