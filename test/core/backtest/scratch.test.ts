import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backtestRules, buyAndHold, evaluateBacktest } from '../../../core/backtest/index.ts';
import type { Bars } from '../../../core/bars/index.ts';
import {
  laggedProducts,
  productsOneByOne,
  type Writes,
} from '../../../core/backtest/metrics/lagged-products.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';
import { walkBars } from '../../support/example-bars.ts';
import { hourly, randomSeries } from './scene.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2024, 0, 1);
const barsOf = (rows: number, seed: number, instrument = 'A'): Bars => ({
  ...walkBars(hourly.between(START, START + (rows - 1) * HOUR, '1h'), seed, '1h'),
  instrument,
});

test('sums of products are the same bits with machine code and without', () => {
  const random = seededUniform(7);
  // Below a pass, at its end, over several; one pass of lags, and more.
  for (const [rows, lags] of [
    [1, 0],
    [20, 2],
    [4_095, 19],
    [4_096, 20],
    [4_097, 18],
    [9_000, 45],
    [9_000, 239],
  ] as const) {
    const v = Float64Array.from({ length: rows }, () => random() - 0.5);
    const write: Writes = (out, at, from, count) => out.set(v.subarray(from, from + count), at);
    const expected = productsOneByOne(rows, lags, write);
    const sums = laggedProducts(rows, lags, write);
    assert.deepEqual([...sums], [...expected], `${rows} rows, ${lags} lags`);
  }
});

test('an evaluation finds nothing of the one before it', () => {
  const evaluate = (rows: number, seed: number): unknown => {
    const rules = backtestRules({ costs: { feeBps: 10, slippageBps: 0 }, allowShort: true });
    const series = randomSeries(barsOf(rows, seed), seed, true);
    return evaluateBacktest([series], rules, { resamples: 0 });
  };
  const first = evaluate(900, 11);
  evaluate(900, 3);
  assert.deepEqual(evaluate(900, 11), first);
  evaluate(1_200, 5);
  assert.deepEqual(evaluate(900, 11), first);
});

test('what is held is worth its prices in every row, however many are written at once', () => {
  const rows = 5_000;
  const [a, b] = [barsOf(rows, 1), barsOf(rows, 2, 'B')];
  const targets = new Float64Array(rows).fill(NaN);
  const run = buyAndHold(
    [a, b].map((bars) => ({ bars, calendar: hourly, targets })),
    backtestRules({ costScale: 0 }),
  );
  const half = run.initialEquity / 2;
  for (let t = 1; t < rows; t++) {
    const worth = [a, b].map(({ open, close }) => (half / open[1]!) * close[t]!);
    assert.ok(Math.abs(run.equity[t]! / (worth[0]! + worth[1]!) - 1) < 1e-12, `row ${t}`);
    assert.ok(Math.abs(run.weights[2 * t]! - worth[0]! / run.equity[t]!) < 1e-12, `row ${t}`);
    assert.ok(Math.abs(run.netExposure[t]! - 1) < 1e-12, `row ${t}`);
  }
});
