/** Portfolios of strategies as part of a backtest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backtestRules } from '../../../core/backtest/index.ts';
import { simulate, type Simulation } from '../../../core/backtest/simulate.ts';
import { sliceBars } from '../../../core/bars/index.ts';
import { parseBacktestSpec, SpecError } from '../../../core/spec/index.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

const instruments = [sp500(), nasdaq()].map((bars) => ({
  bars: sliceBars(bars, 0, 1300),
  calendar: daily,
}));
const spec = {
  name: 'both',
  data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC', '^IXIC'] },
  period: { from: '2000-06-01' },
  strategies: {
    hold: { kind: 'buy-and-hold' },
    cross: { kind: 'sma-cross' },
  },
};
const portfolios = {
  calm: { of: ['hold', 'cross'], allocation: { kind: 'minimum-variance' }, maxWeight: 0.5 },
  halves: { of: ['hold'] },
};

const simulation = (): Simulation => {
  const parsed = parseBacktestSpec({ ...spec, portfolios });
  return {
    instruments,
    strategies: parsed.strategies,
    ...(parsed.portfolios && { portfolios: parsed.portfolios }),
    rules: backtestRules(),
    from: Date.parse(parsed.period.from),
    to: instruments[0]!.bars.openTime[1299]!,
    paths: 0,
    seed: 1,
    earlierSharpes: [],
  };
};
const run = (of: Simulation) => simulate(of, () => Promise.resolve());

test('portfolios stand after the strategies, in their order, and trade', async () => {
  const results = await run(simulation());
  assert.deepEqual(
    results.map(({ name }) => name),
    ['hold', 'cross', 'calm', 'halves'],
  );
  for (const { name, result } of results) assert.ok(result.trades.length > 0, name);
  const of = (name: string) => results.find((one) => one.name === name)!.result.metrics;
  // A quarter each of four columns at most half: calmer than holding both.
  assert.ok(of('calm')['volatility']! < 0.8 * of('hold')['volatility']!, 'calmer');
  // Halves that drift for a month are about those that are set anew each day.
  const [a, b] = [of('halves')['totalReturn']!, of('hold')['totalReturn']!];
  assert.ok(Math.abs(a - b) < 0.03, `${a} and ${b}`);
});

test('a portfolio is warm when the period begins, and what comes after its end changes nothing', async () => {
  const whole = simulation();
  const start = Date.parse('2003-01-02');
  const [, , calm] = await run({ ...whole, from: start });
  const first = Math.min(...calm!.result.trades.map(({ entryTime }) => entryTime));
  assert.ok(first - start < 4 * 86_400_000, new Date(first).toISOString());
  const longer = [sp500(), nasdaq()].map((bars) => ({ bars, calendar: daily }));
  assert.deepEqual(await run({ ...whole, instruments: longer }), await run(whole));
});

test('wrong portfolios: unknown strategies, double ones, names that are taken, too many columns', () => {
  const told = (portfolios: object, more: object = {}): string => {
    try {
      parseBacktestSpec({ ...spec, ...more, portfolios });
    } catch (error) {
      assert.ok(error instanceof SpecError);
      return error.message;
    }
    return '';
  };
  assert.equal(told(portfolios), '');
  assert.match(told({ p: { of: ['hodl'] } }), /^portfolios\.p\.of\[0\]: .* Did you mean "hold"\?/);
  assert.match(told({ p: { of: ['hold', 'hold'] } }), /names a strategy twice/);
  assert.match(told({ hold: { of: ['hold'] } }), /has the name of a strategy/);
  assert.match(told({ p: { of: ['hold'], allocation: { kind: 'kely' } } }), /mean "kelly"/);
  assert.match(told({ p: { of: ['hold'], maxWieght: 1 } }), /Did you mean "maxWeight"/);
  const cross = { kind: 'sma-cross', fats: 3 };
  assert.match(
    told({}, { strategies: { cross } }),
    /^strategies\.cross\.fats: .* Did you mean "fast"\? Known: fast, slow, short, kind$/,
  );
  const data = {
    ...spec.data,
    instruments: Array.from({ length: 30 }, (_, i) => `X${i}`),
  };
  assert.match(told({ p: { of: ['hold', 'cross'] } }, { data }), /60 strategies on instruments/);
});
