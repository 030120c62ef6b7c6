import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  backtestRules,
  buyAndHold,
  runBacktest,
  type BacktestRulesInput,
  type BacktestRun,
  type InstrumentSeries,
  type Trade,
} from '../../../core/backtest/index.ts';
import { instantsOf } from '../../../core/backtest/instants.ts';
import { mapColumns, sliceBars } from '../../../core/bars/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { daily, mixedScene, randomSeries } from './scene.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];
const emergencyScore = 0.8;
const RULES: readonly BacktestRulesInput[] = [
  { stops: { emergencyScore } },
  { allowShort: true, stops: { stopLoss: 0.01, trailing: 0.02, takeProfit: 0.03, emergencyScore } },
  { allowShort: true, stops: { stopLoss: 0.04, takeProfit: 0.05, emergencyScore } },
  { allowShort: true, maxLeverage: 2, fill: { at: 'nextClose' }, borrowBpsPerYear: 200 },
  {
    fill: { delayBars: 2 },
    rebalance: 'changed',
    noTradeBand: 0.05,
    stops: { trailing: 0.01, emergencyScore },
  },
];

/** The series without the bars that close after `until`. */
function truncated(given: readonly InstrumentSeries[], until: number): InstrumentSeries[] {
  return given.flatMap((series) => {
    const { closeAt } = instantsOf(series.bars, series.calendar);
    const kept = closeAt.filter((time) => time <= until).length;
    const { bars, targets, emergencyScore, ...rest } = series;
    return kept === 0
      ? []
      : [
          {
            ...rest,
            bars: sliceBars(bars, 0, kept),
            targets: targets.subarray(0, kept),
            ...(emergencyScore && { emergencyScore: emergencyScore.subarray(0, kept) }),
          },
        ];
  });
}

/** Is any bar open at this instant? */
const isInside = (given: readonly InstrumentSeries[], time: number): boolean =>
  given.some((series) => {
    const { openAt, closeAt } = instantsOf(series.bars, series.calendar);
    return openAt.some((open, t) => open < time && closeAt[t]! > time);
  });

const head = (run: BacktestRun, rows: number): object => ({
  equity: run.equity.slice(0, rows),
  cash: run.cash.slice(0, rows),
  weights: run.weights.slice(0, rows * run.instruments.length),
  costs: run.costs.slice(0, rows),
});
const ended = (run: BacktestRun): Trade[] => run.trades.filter(({ open }) => !open);

describe('a run never sees a bar after its clock', () => {
  for (const [at, rules] of RULES.entries()) {
    test(`whatever is cut off (rules ${at})`, () => {
      let compared = 0;
      const made: Trade[] = [];
      for (const seed of SEEDS) {
        const scene = mixedScene(seed);
        const whole = runBacktest(scene, backtestRules(rules));
        made.push(...ended(whole));
        for (let row = 100 + seed; row < whole.time.length; row += 61) {
          const until = whole.time[row]!;
          if (isInside(scene, until)) continue;
          const part = runBacktest(truncated(scene, until), backtestRules(rules));
          assert.equal(part.time.length, row + 1);
          assert.deepEqual(head(part, row + 1), head(whole, row + 1));
          const before = ended(part);
          assert.deepEqual(before, ended(whole).slice(0, before.length));
          compared++;
        }
      }
      assert.ok(compared > 20, `${compared} cuts compared`);
      assert.ok(made.length > 100, `${made.length} trades made`);
      const { stops } = backtestRules(rules);
      const left = made.filter(({ exitReason }) => exitReason === 'emergency');
      assert.equal(left.length > 20, stops.emergencyScore !== null, `${left.length} emergencies`);
      // Stops that were measured from a cost that adds moved and cuts did not.
      const moved = made.filter(
        ({ exitReason, adds, cuts }) => exitReason === 'stopLoss' && adds > 0 && cuts > 0,
      );
      assert.equal(moved.length > 0, stops.stopLoss !== undefined, `${moved.length} moved stops`);
    });
  }

  test('at every bar of one instrument', () => {
    const bars = sliceBars(sp500(), 0, 120);
    const scene = [randomSeries(bars, 5, false)];
    const rules = backtestRules(RULES[1]);
    const whole = runBacktest(scene, rules);
    for (let rows = 1; rows <= 120; rows++) {
      const part = runBacktest(truncated(scene, whole.time[rows - 1]!), rules);
      assert.deepEqual(head(part, rows), head(whole, rows));
    }
  });

  test('bars changed after an instant change nothing before it', () => {
    const bars = sliceBars(sp500(), 0, 200);
    const otherwise = mapColumns(bars, (column) =>
      column.map((x, t) => (t < 150 ? x : x * 1.1 ** t)),
    );
    const [one, two] = [bars, otherwise].map((b) =>
      runBacktest([randomSeries(b, 8, false)], backtestRules(RULES[1])),
    );
    assert.deepEqual(head(one!, 150), head(two!, 150));
    assert.notDeepEqual(head(one!, 200), head(two!, 200));
  });
});

describe('books', () => {
  test('cash and positions are equity, trades add up to what was won, at any rules', () => {
    for (const rules of RULES) {
      for (const seed of SEEDS) {
        const run = runBacktest(mixedScene(seed), backtestRules(rules));
        const { equity, cash, weights, netExposure } = run;
        const columns = run.instruments.length;
        for (let t = 0; t < equity.length; t++) {
          let held = 0;
          for (let i = 0; i < columns; i++) held += weights[t * columns + i]! * equity[t]!;
          close(cash[t]! + held, equity[t]!);
          close(netExposure[t]! * equity[t]!, held);
        }
        const won = run.trades.reduce((sum, { netPnl }) => sum + netPnl, 0);
        close(run.initialEquity + won, equity.at(-1)!);
        const paid = run.costs.reduce((sum, cost) => sum + cost, 0);
        close(
          run.trades.reduce((sum, { costs }) => sum + costs, 0),
          paid,
        );
      }
    }
  });

  test('without credit cash is never negative', () => {
    for (const rules of [RULES[0], RULES[4]]) {
      for (const seed of SEEDS) {
        const { cash, equity } = runBacktest(mixedScene(seed), backtestRules(rules));
        cash.forEach((money, t) => assert.ok(money >= -1e-9 * equity[t]!, `${money} at ${t}`));
      }
    }
  });

  test('targets of zero leave equity as it was', () => {
    const scene = mixedScene(1).map((s) => ({ ...s, targets: s.targets.map(() => 0) }));
    const { equity, trades } = runBacktest(scene, backtestRules());
    assert.ok(equity.every((money) => money === 10_000));
    assert.equal(trades.length, 0);
  });

  test('buy-and-hold without costs is the ratio of the last close and the second open', () => {
    const bars = sp500();
    const series = { bars, calendar: daily, targets: bars.close.map(() => NaN) };
    const { equity, trades } = buyAndHold([series], backtestRules({ costScale: 0 }));
    close(equity.at(-1)! / 10_000, bars.close.at(-1)! / bars.open[1]!);
    assert.equal(trades.length, 1);
    const atClose = buyAndHold(
      [series],
      backtestRules({ costScale: 0, fill: { at: 'nextClose' } }),
    );
    close(atClose.equity.at(-1)! / 10_000, bars.close.at(-1)! / bars.close[1]!);
  });

  test('higher costs never leave more', () => {
    for (const seed of SEEDS) {
      const bars = sliceBars(sp500(), seed * 500, seed * 500 + 400);
      const finals = [0, 1, 2, 3, 10].map((costScale) =>
        runBacktest([randomSeries(bars, seed, false)], backtestRules({ costScale })).equity.at(-1)!,
      );
      assert.deepEqual(
        finals,
        finals.toSorted((a, b) => b - a),
      );
      assert.ok(finals[0]! > finals[4]!);
    }
  });

  test('the order of instruments changes nothing, bit for bit', () => {
    for (const rules of RULES) {
      const scene = mixedScene(4);
      const turned = [scene[2]!, scene[0]!, scene[1]!];
      assert.deepEqual(
        runBacktest(scene, backtestRules(rules)),
        runBacktest(turned, backtestRules(rules)),
      );
    }
  });

  function close(a: number, b: number): void {
    assert.ok(Math.abs(a - b) <= 1e-10 * Math.max(1, Math.abs(b)), `${a} is not ${b}`);
  }
});
