/** Instruments without bars in the period of a backtest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backtestRules, simulate, type SimulatedStrategy } from '../../../core/backtest/index.ts';
import { sliceBars, type Bars } from '../../../core/bars/index.ts';
import { parseStrategy } from '../../../core/spec/index.ts';
import { portfolioSchema } from '../../../core/strategies/portfolio/index.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

const whole = sliceBars(sp500(), 0, 600);
const ended = sliceBars(nasdaq(), 0, 200);
const [from, to] = [whole.openTime[300]!, whole.openTime[599]!];
const isoDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const run = (bars: readonly Bars[], period = { from, to }): Promise<readonly SimulatedStrategy[]> =>
  simulate(
    {
      instruments: bars.map((one) => ({ bars: one, calendar: daily })),
      strategies: { hold: parseStrategy({ kind: 'buy-and-hold' }) },
      portfolios: { all: { of: ['hold'], ...portfolioSchema.parse({}) } },
      rules: backtestRules(),
      ...{ ...period, paths: 0, seed: 1, earlierSharpes: [] },
    },
    () => Promise.resolve(),
  );

test('one without bars is left out in words, and the others have all of the money', async () => {
  const alone = await run([whole]);
  const both = await run([whole, ended]);
  const words = `No bars of ^IXIC from ${isoDay(from)} to ${isoDay(to)} (the last one is of ${isoDay(ended.openTime[199]!)}): it was left out, and the others share the money.`;
  for (const [i, { name, result }] of both.entries()) {
    assert.equal(result.notes[0], words, name);
    const { notes: _notes, ...rest } = result;
    const { notes: _own, ...expected } = alone[i]!.result;
    assert.deepEqual(rest, expected, name);
  }
  assert.ok(Math.max(...both[0]!.result.curve.exposure) > 0.9);
});

test('with bars of none it says which period was meant, and how far the bars go', async () => {
  const period = { from: Date.UTC(2031, 0, 1), to: Date.UTC(2031, 11, 31) };
  await assert.rejects(run([whole, ended], period), {
    code: 'backtest.period',
    message: `no bars of ^GSPC, ^IXIC from 2031-01-01 to 2031-12-31: the last bar is of ${isoDay(to)}`,
  });
});
