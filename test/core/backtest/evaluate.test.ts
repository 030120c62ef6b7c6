import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BacktestFacts,
  backtestMetrics,
  backtestResultSchema,
  backtestRules,
  drawdownsOf,
  evaluateBacktest,
  evaluateFigures,
  metricValues,
  monteCarlo,
  monthlyReturns,
  runBacktest,
  sensitivityOf,
  sharpeInterval,
  thinCurve,
  yearOf,
  type BacktestRun,
} from '../../../core/backtest/index.ts';
import { lowest } from '../../../core/backtest/metrics/lowest.ts';
import { regress } from '../../../core/backtest/metrics/newey-west.ts';
import { sliceBars } from '../../../core/bars/index.ts';
import type { Calendar } from '../../../core/calendar/calendar.ts';
import { sp500, walkBars } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';
import { daily, hourly, mixedScene, randomSeries, seriesOf } from './scene.ts';

const DAY = 86_400_000;
const ruled = backtestRules({ allowShort: true, stops: { stopLoss: 0.03 } });
const scene = (rows = 1500) => [randomSeries(sliceBars(sp500(), 0, rows), 3, false)];
const flat = (price: number): number[] => [price, price, price, price];

/** A run with this equity at the closes of consecutive days. */
function curve(equity: readonly number[], initial = equity[0]!): BacktestRun {
  const given = seriesOf(
    equity.map(() => flat(1)),
    equity.map(() => NaN),
  );
  const run = runBacktest([given], backtestRules({ initialEquity: initial }));
  return { ...run, equity: Float64Array.from(equity) };
}
const valuesOf = (equity: readonly number[], initial?: number) =>
  metricValues(new BacktestFacts(curve(equity, initial), { barsPerYear: 365, daysPerYear: 365 }));

describe('metrics', () => {
  test('each has words, a direction and a source, and a name of its own', () => {
    for (const { name, title, docs, source } of backtestMetrics) {
      assert.ok(name && title && docs.endsWith('.') && source, name);
    }
    assert.equal(new Set(backtestMetrics.map(({ name }) => name)).size, backtestMetrics.length);
  });

  test('what is not defined is null, never NaN or infinite', () => {
    const still = valuesOf(Array.from({ length: 40 }, () => 100));
    for (const name of ['sharpe', 'sharpeByBar', 'sortino', 'calmar', 'annualReturn', 'alpha']) {
      assert.equal(still[name], null, name);
    }
    for (const name of ['winRate', 'profitFactor', 'barHitRate', 'deflatedSharpe', 'beta']) {
      assert.equal(still[name], null, name);
    }
    assert.equal(still['totalReturn'], 0);
    assert.equal(still['maxDrawdown'], 0);
    const rising = valuesOf(Array.from({ length: 40 }, (_, t) => 100 * 1.01 ** t));
    assert.equal(rising['sharpe'], null, 'no spread but rounding');
    const few = valuesOf([100, 101, 99, 103]);
    for (const name of ['volatility', 'sharpe', 'valueAtRisk', 'expectedShortfall']) {
      assert.equal(few[name], null, name);
    }
    assert.equal(valuesOf([100])['totalReturn'], 0);
    assert.equal(valuesOf([100, 50, -10, -10])['totalReturn'], -1.1);
  });

  test('a year is told by the calendar, not by rows', () => {
    const equity = Array.from({ length: 201 }, (_, t) => 100 + (t % 2) + t / 100);
    const values = valuesOf(equity);
    assert.ok(
      Math.abs(values['annualReturn']! - (equity[200]! / 100) ** (365.25 / 200) + 1) < 1e-12,
    );
    assert.equal(values['calmar'], null);
  });

  test('a calendar year of bars is a year, of days and of sessions', () => {
    const noteOf = (days: readonly number[], calendar: Calendar): unknown[] => {
      const bars = walkBars(Float64Array.from(days), 3);
      const series = [{ bars, calendar, targets: bars.close.map(() => 1) }];
      const { metrics, notes } = evaluateBacktest(series, backtestRules(), { resamples: 0 });
      return [metrics['calmar'] === null, notes.some((note) => note.startsWith('Less than'))];
    };
    const year = (calendar: Calendar, y: number): number[] => [
      ...calendar.between(Date.UTC(y, 0, 1), Date.UTC(y + 1, 0, 1) - 1, '1d'),
    ];
    assert.equal(year(hourly, 2021).length, 365);
    assert.deepEqual(noteOf(year(hourly, 2021), hourly), [false, false]);
    for (const y of [2006, 2017, 2021, 2022]) {
      assert.deepEqual(noteOf(year(daily, y), daily), [false, false], `${y}`);
    }
    assert.deepEqual(noteOf(year(hourly, 2021).slice(10), hourly), [true, true]);
  });

  test('the daily Sharpe ratio of hourly rows is that of days', () => {
    const [, , coin] = mixedScene(2);
    const run = runBacktest([coin!], ruled);
    const year = yearOf([{ calendar: hourly, timeframe: '1h' }], run.time);
    assert.deepEqual(year, { barsPerYear: 8760, daysPerYear: 365 });
    const ends = [...run.equity.keys()].filter((t) => run.time[t]! % DAY === 0);
    const days = ends.map((t) => run.equity[t]!);
    const r = days.slice(1).map((e, i) => e / days[i]! - 1);
    const mean = r.reduce((a, b) => a + b, 0) / r.length;
    const sd = Math.sqrt(r.reduce((a, b) => a + (b - mean) ** 2, 0) / (r.length - 1));
    const { sharpe } = metricValues(new BacktestFacts(run, year));
    assert.ok(Math.abs(sharpe! - (mean / sd) * Math.sqrt(365)) < 1e-12);
  });

  test('of several calendars the rows of a year are counted', () => {
    const run = runBacktest(mixedScene(1), ruled);
    const of = [
      { calendar: daily, timeframe: '1d' },
      { calendar: hourly, timeframe: '1h' },
    ] as const;
    const { barsPerYear, daysPerYear } = yearOf(of, run.time);
    assert.ok(barsPerYear > 5000 && barsPerYear < 8760, `${barsPerYear}`);
    assert.ok(daysPerYear > 300 && daysPerYear < 367, `${daysPerYear}`);
  });

  test('the lowest values are those of sorting all, ties too', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const uniform = seededUniform(seed);
      const values = Float64Array.from({ length: 5 * seed }, () => Math.floor(uniform() * 30));
      for (const count of [1, 3, seed, 5 * seed, 500]) {
        assert.deepEqual(lowest(values, count), values.toSorted().subarray(0, count));
      }
    }
  });

  test('a benchmark that does not move gives no beta', () => {
    const y = Float64Array.from({ length: 50 }, (_, t) => Math.sin(t));
    assert.ok(Number.isNaN(regress(y, new Float64Array(50)).beta));
  });
});

describe('drawdowns', () => {
  test('start at the initial equity and end at the recovery', () => {
    const {
      curve: depth,
      deepest,
      longest,
    } = drawdownsOf(Float64Array.of(90, 100, 120, 60, 119, 120, 110), 100);
    assert.deepEqual(
      [...depth].map((d) => Math.round(d * 100)),
      [-10, 0, 0, -50, -1, 0, -8],
    );
    assert.deepEqual(deepest, { depth: -0.5, peak: 2, trough: 3, end: 5, bars: 3, open: false });
    assert.equal(longest, deepest);
  });

  test('an open one is flagged', () => {
    const { deepest } = drawdownsOf(Float64Array.of(100, 80, 90), 100);
    assert.deepEqual([deepest!.open, deepest!.bars], [true, 2]);
  });
});

test('months are calendar months of the closes', () => {
  const times = [Date.UTC(2024, 0, 31), Date.UTC(2024, 1, 1), Date.UTC(2024, 1, 2)];
  const months = monthlyReturns(Float64Array.from(times), Float64Array.of(110, 121, 60.5), 100);
  assert.deepEqual(
    months.map(({ month, return: r }) => [month, Math.round(r * 1000) / 1000]),
    [
      ['2024-01', 0.21],
      ['2024-02', -0.5],
    ],
  );
});

describe('a result', () => {
  const options = {
    sensitivity: true,
    paths: 50,
    resamples: 200,
    tries: { count: 4, sharpeSd: 0.02 },
  };
  const result = evaluateBacktest(scene(), ruled, options);

  test('is JSON that its schema takes and gives back unchanged', () => {
    const text = JSON.stringify(result);
    assert.deepEqual(backtestResultSchema.parse(JSON.parse(text)), JSON.parse(text));
    assert.deepEqual(JSON.parse(text), result);
  });

  test('is the same again, whatever the order of instruments', () => {
    assert.deepEqual(evaluateBacktest(scene(), ruled, options), result);
    const [a, b, c] = mixedScene(1);
    assert.deepEqual(
      evaluateBacktest([a!, b!, c!], ruled, { resamples: 50 }),
      evaluateBacktest([c!, b!, a!], ruled, { resamples: 50 }),
    );
  });

  test('names its costs and says where it is hypothetical', () => {
    assert.deepEqual(result.instruments[0]!.costs, { feeBps: 0, slippageBps: 2, halfSpreadBps: 0 });
    assert.equal(result.hypothetical, true);
    assert.match(result.notes.join(' '), /Hypothetical/);
    assert.equal(result.rules.stops.stopLoss, 0.03);
  });

  test('has figures without costs and of buy-and-hold beside its own', () => {
    assert.ok(result.withoutCosts['totalReturn']! > result.metrics['totalReturn']!);
    assert.equal(result.withoutCosts['costsPaid'], 0);
    assert.ok(Math.abs(result.buyAndHold['beta']! - 1) < 1e-12);
    assert.ok(Math.abs(result.buyAndHold['alpha']!) < 1e-12);
    assert.equal(result.finalEquity, result.curve.equity.at(-1));
  });

  test('has the same figures where nobody asks for its rows', () => {
    const options = { paths: 20, sensitivity: true };
    const { curve: rows, ...figures } = evaluateBacktest(scene(), ruled, options);
    assert.equal(rows.time.length, figures.rows);
    assert.deepEqual(evaluateFigures(scene(), ruled, options), figures);
  });

  test('its curve adds costs and turnover up to those of the figures', () => {
    const { curve, metrics, rules } = result;
    for (const column of [curve.costs, curve.turnover]) {
      assert.equal(column.length, result.rows);
      assert.ok(column.every((value, t) => t === 0 || value >= column[t - 1]!));
    }
    const paid = curve.costs.at(-1)! / rules.initialEquity;
    assert.ok(paid > 0 && Math.abs(paid - metrics['costsPaid']!) < 1e-12);
    const years = curve.turnover.at(-1)! / metrics['turnover']!;
    const calendar = (curve.time.at(-1)! - curve.time[0]!) / (365.25 * 86_400_000);
    assert.ok(Math.abs(years / calendar - 1) < 0.02, `${years} years of ${calendar}`);
  });

  test('has an interval around the Sharpe ratio', () => {
    const { value, low, high } = result.sharpeInterval;
    assert.equal(value, result.metrics['sharpe']);
    assert.ok(low! < value! && value! < high!);
  });

  test('says whose bars end early with a position', () => {
    const bars = sliceBars(sp500(), 0, 300);
    const targets = bars.close.map((_, t) => (t === 0 ? 0.5 : NaN));
    const short = { ...sliceBars(bars, 0, 200), instrument: 'ENDED' };
    const both = [
      { bars, calendar: daily, targets },
      { bars: short, calendar: daily, targets: targets.subarray(0, 200) },
    ];
    const { notes } = evaluateBacktest(both, backtestRules(), { resamples: 0 });
    assert.equal(notes.filter((note) => note.includes('ENDED end early')).length, 1);
    assert.ok(!notes.some((note) => note.includes('GSPC end early')));
  });

  test('has a curve that can be thinned without hiding a fall', () => {
    const thin = thinCurve(result.curve, 50);
    assert.equal(thin.time.length, 50);
    assert.equal(thin.equity.at(-1), result.finalEquity);
    assert.equal(Math.min(...thin.equity), Math.min(...result.curve.equity));
    assert.deepEqual(
      thin.time,
      thin.time.toSorted((a, b) => a - b),
    );
    assert.equal(thinCurve(result.curve, 5000), result.curve);
    assert.throws(() => thinCurve(result.curve, 2), { code: 'backtest.rows' });
  });

  test('of bars without spread has no interval', () => {
    const facts = new BacktestFacts(curve(Array.from({ length: 50 }, () => 100)), {
      barsPerYear: 365,
      daysPerYear: 365,
    });
    assert.deepEqual(sharpeInterval(facts, 1), {
      value: null,
      low: null,
      high: null,
      tooFewBlocks: false,
    });
  });
});

describe('monte carlo', () => {
  const run = runBacktest(scene(), ruled);
  const facts = new BacktestFacts(run, { barsPerYear: 252, daysPerYear: 252 });

  test('is the same for a seed and another for another', () => {
    const one = monteCarlo(facts, { paths: 100, seed: 4 });
    assert.deepEqual(monteCarlo(facts, { paths: 100, seed: 4 }), one);
    assert.notDeepEqual(monteCarlo(facts, { paths: 100, seed: 5 }), one);
  });

  test('bands rise and surround what the bars bring on average', () => {
    const { finalEquity, maxDrawdown, sharpeByBar, block } = monteCarlo(facts, { paths: 400 })!;
    assert.equal(block, Math.ceil(Math.cbrt(run.equity.length - 1)));
    for (const { p5, p25, p50, p75, p95 } of [finalEquity, maxDrawdown, sharpeByBar!]) {
      assert.ok(p5 < p25 && p25 < p50 && p50 < p75 && p75 < p95);
    }
    const last = run.equity.at(-1)!;
    assert.ok(finalEquity.p5 < last && last < finalEquity.p95);
    assert.ok(maxDrawdown.p95 <= 0);
  });

  test('one block of the whole run is the run, turned', () => {
    const n = run.equity.length - 1;
    const whole = monteCarlo(facts, { paths: 20, block: n })!;
    const last = run.equity.at(-1)!;
    assert.ok(Math.abs(whole.finalEquity.p5 / last - 1) < 1e-9);
    assert.ok(Math.abs(whole.finalEquity.p95 / last - 1) < 1e-9);
  });

  test('a path whose equity is gone ends there: what comes after multiplies no debt', () => {
    const calm = Array.from({ length: 30 }, (_, t) => 10_000 + 100 * (t % 2));
    const debt = calm.map(() => -5_000);
    const ruined = new BacktestFacts(curve([...calm, ...debt]), {
      barsPerYear: 365,
      daysPerYear: 365,
    });
    const { finalEquity, maxDrawdown, lossShare } = monteCarlo(ruined, { paths: 2000, block: 2 })!;
    // Of 30 blocks of 2 of 59 returns none has the one that ruined in (1 - 2/59)^30 = 36 % of the paths.
    assert.ok(lossShare > 0.6 && lossShare < 0.68, `${lossShare}`);
    assert.ok(finalEquity.p5 >= -5_100 && finalEquity.p50 < -4_900 && finalEquity.p75 > 9_000);
    assert.ok(maxDrawdown.p5 >= -1.51);
  });

  test('has limits', () => {
    assert.throws(() => monteCarlo(facts, { paths: 20_000 }), { code: 'backtest.paths' });
    const short = new BacktestFacts(curve([1, 2, 3]), { barsPerYear: 365, daysPerYear: 365 });
    assert.equal(monteCarlo(short), null);
  });
});

test('sensitivity: costs take from the result, delays change it', () => {
  const { costs, delays } = sensitivityOf(scene(), ruled);
  assert.deepEqual(
    costs.map(({ costScale }) => costScale),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    delays.map(({ delayBars }) => delayBars),
    [0, 1, 2, 3],
  );
  for (let i = 1; i < 4; i++) assert.ok(costs[i]!.totalReturn < costs[i - 1]!.totalReturn);
  assert.deepEqual(costs[1], delays[0]);
  assert.equal(new Set(delays.map(({ totalReturn }) => totalReturn)).size, 4);
});
