/** Luck among several tries: all Sharpe ratios that the deflated one reads are in one unit. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backtestRules, returnsOf } from '../../../core/backtest/index.ts';
import { simulate, type SimulatedStrategy } from '../../../core/backtest/simulate.ts';
import { parseStrategy } from '../../../core/spec/index.ts';
import { normalCdf } from '../../../core/search/normal.ts';
import { sp500 } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

const bars = sp500();
const run = (earlierSharpes: readonly number[]): Promise<readonly SimulatedStrategy[]> =>
  simulate(
    {
      instruments: [{ bars, calendar: daily }],
      strategies: {
        cross: parseStrategy({ kind: 'sma-cross' }),
        rsi: parseStrategy({ kind: 'rsi' }),
      },
      rules: backtestRules(),
      from: Date.UTC(2003, 0, 1),
      to: Date.UTC(2007, 11, 31),
      paths: 0,
      seed: 1,
      earlierSharpes,
    },
    () => Promise.resolve(),
  );

const mean = (of: readonly number[]): number => of.reduce((sum, x) => sum + x, 0) / of.length;
const moment = (of: readonly number[], power: number): number =>
  mean(of.map((x) => (x - mean(of)) ** power));
const sd = (of: readonly number[]): number =>
  Math.sqrt((moment(of, 2) * of.length) / (of.length - 1));

/** By hand: `Phi((SR - SD z) sqrt(T - 1) / sqrt(1 - skew SR + (kurt - 1) / 4 SR^2))`, z of the number of tries. */
function deflated({ result }: SimulatedStrategy, tries: readonly number[], z: number): number {
  const returns = [...returnsOf(Float64Array.from(result.curve.equity))];
  const ratio = mean(returns) / sd(returns);
  const spread = Math.sqrt(moment(returns, 2));
  const [skewness, kurtosis] = [moment(returns, 3) / spread ** 3, moment(returns, 4) / spread ** 4];
  const variance = 1 - skewness * ratio + ((kurtosis - 1) / 4) * ratio ** 2;
  const above = ratio - sd(tries) * z;
  return normalCdf((above * Math.sqrt(returns.length - 1)) / Math.sqrt(variance));
}

const byBar = ({ result }: SimulatedStrategy): number =>
  result.metrics['sharpeByBar']! / Math.sqrt(252);

describe('the deflated Sharpe ratio of a backtest', () => {
  // (1 - g) Z(1 - 1/M) + g Z(1 - 1/(M e)) for M = 2, where the first quantile is 0, and for M = 3.
  const [two, three] = [0.5197553442805939, 0.8528044961506948];

  test('of two strategies is that of two tries, whose ratios a bar are compared', async () => {
    const results = await run([]);
    const tries = results.map(byBar);
    for (const one of results) {
      assert.equal(one.result.tries.count, 2);
      close(one.result.tries.sharpeSd!, sd(tries));
      close(one.result.metrics['deflatedSharpe']!, deflated(one, tries, two));
    }
    assert.ok(results[0]!.result.metrics['deflatedSharpe']! > 0.1, 'one of two is not all luck');
  });

  test('counts what was tried before, whose ratios are stored by the year', async () => {
    const results = await run([0.9]);
    const tries = [0.9 / Math.sqrt(252), ...results.map(byBar)];
    for (const one of results) {
      assert.equal(one.result.tries.count, 3);
      close(one.result.metrics['deflatedSharpe']!, deflated(one, tries, three));
    }
  });

  function close(a: number, b: number): void {
    assert.ok(Math.abs(a - b) <= 1e-8, `${a} is not ${b}`);
  }
});
