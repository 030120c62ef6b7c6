import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  backtestFolds,
  backtestSpecSchema,
  foldExperiment,
  foldModel,
  parseBacktestSpec,
  SpecError,
  type BacktestSpec,
} from '../../../core/spec/index.ts';

const example = (name: string): unknown =>
  parse(readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8'));

for (const name of ['backtest-index.yaml', 'backtest-crypto.yaml', 'backtest-advice.yaml']) {
  test(`examples/${name} is a spec, and parses to itself`, () => {
    const spec = parseBacktestSpec(example(name));
    assert.deepEqual(parseBacktestSpec(JSON.parse(JSON.stringify(spec))), spec);
    assert.ok(Object.keys(spec.strategies).length >= 3);
  });
}

const nyse = calendarFor('nyse');
const day = (text: string): number => Date.parse(text);

test('folds cover each session of the period once, and train on nothing of it', () => {
  const period = { from: day('2018-01-15'), to: day('2018-12-31') };
  const sessions = nyse.between(period.from, period.to, '1d');
  for (const [every, count] of [
    ['month', 12],
    ['quarter', 4],
    ['year', 1],
  ] as const) {
    const folds = backtestFolds(nyse, '1d', period, every);
    assert.equal(folds.length, count);
    const covered = folds.flatMap(({ from, to }) => [...nyse.between(from, to, '1d')]);
    assert.deepEqual(covered, [...sessions]);
    for (const { from, trainTo, asOf } of folds) {
      const last = nyse.between(0, day(trainTo), '1d').at(-1)!;
      assert.ok(last < from, 'trained on an earlier session');
      assert.ok(nyse.closeTime(last, '1d') < day(asOf) && day(asOf) < nyse.closeTime(from, '1d'));
    }
  }
});

test('hours are trained on up to the day before, as they were known when the first one opened', () => {
  const always = calendarFor('24x7');
  const period = { from: day('2025-01-01'), to: day('2025-03-31T23:00:00Z') };
  const folds = backtestFolds(always, '1h', period, 'month');
  assert.deepEqual(
    folds.map(({ trainTo }) => trainTo),
    ['2024-12-31', '2025-01-31', '2025-02-28'],
  );
  assert.equal(folds[1]!.asOf, '2025-02-01T00:01:00Z');
  assert.equal(folds[1]!.to, day('2025-02-28T23:00:00Z'));
});

test('what a fold trains is an experiment that promotes nothing, told apart by what it knew', () => {
  const spec = parseBacktestSpec(example('backtest-index.yaml'));
  const [a, b] = ['2013', '2014'].map((year) =>
    foldExperiment(spec, { trainTo: `${year}-12-31`, asOf: `${year}-12-31T23:59:00Z` }),
  );
  assert.deepEqual([a!.promotion.policy, a!.refit, a!.data.to], ['never', 'all', '2013-12-31']);
  assert.equal(a!.model, 'backtest-index-folds-{instrument}');
  assert.notDeepEqual(a, b);
  assert.equal(foldModel({ ...spec, data: { ...spec.data } }, true), 'backtest-index-folds');
});

test('all that is wrong is said at once, each at its place', () => {
  const spec = example('backtest-index.yaml') as Record<string, unknown>;
  const wrong = {
    ...spec,
    period: { from: '2018-02-30' },
    strategies: { cross: { kind: 'sma-cross', fats: 3 }, odd: { kind: 'sma-corss' } },
  };
  assert.throws(
    () => parseBacktestSpec(wrong),
    (error) => {
      assert.ok(error instanceof SpecError);
      const said = error.issues.map(({ path, suggestion }) => `${path} ${suggestion ?? ''}`);
      assert.ok(said.some((text) => text.startsWith('period.from')));
      assert.ok(
        said.some((text) => /^strategies\.cross\.fats .*"fast"/.test(text)),
        said.join('|'),
      );
      assert.ok(
        said.some((text) => /^strategies\.odd.*"sma-cross"/.test(text)),
        said.join('|'),
      );
      return true;
    },
  );
});

test('a walk forward has names that fit, and folds that can be counted', () => {
  const told = (change: object): readonly string[] => {
    try {
      parseBacktestSpec({
        name: 'x',
        data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC', '^IXIC'] },
        period: { from: '2010-01-01', to: '2012-12-31' },
        model: { walkForward: { experiment: { family: 'ridge' } } },
        strategies: { model: { kind: 'model-signal', by: 'change' } },
        ...change,
      });
      return [];
    } catch (error) {
      assert.ok(error instanceof SpecError);
      return error.issues.map(({ path, message }) => `${path} ${message}`);
    }
  };
  const data = (...instruments: string[]) => ({
    data: { sources: [{ dataset: 'sp500-daily' }], instruments },
  });
  const long = 'a'.repeat(50);
  assert.deepEqual(told({ name: long }), [
    `name has 50 characters; at most 44, as its models are called "${long}-folds-{instrument}"`,
  ]);
  assert.deepEqual(told({ name: 'a'.repeat(44) }), []);
  assert.deepEqual(told({ name: long, ...data('^GSPC') }), [], 'one model needs no instrument');
  assert.match(told({ name: 'a'.repeat(58), ...data('^GSPC') })[0]!, /at most 57/);
  const wide = data('^GSPC', 'b'.repeat(30));
  assert.match(told({ name: 'a'.repeat(30), ...wide })[0]!, /^name .* at most 26, /);
  assert.deepEqual(told({ period: { from: '1950-01-01', to: '2000-02-01' } }), [
    'period has 602 folds; at most 600: train less often, or through less',
  ]);
  const every = { walkForward: { every: 'quarter', experiment: { family: 'ridge' } } };
  assert.deepEqual(told({ model: every, period: { from: '1900-01-01', to: '2000-02-01' } }), []);
});

test('a threshold without `by` is fixed in what is trained; of a stored backtest it is what it was', () => {
  const of = (label: object) => ({
    name: 'x',
    data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
    period: { from: '2010-01-01', to: '2012-12-31' },
    model: { walkForward: { experiment: { family: 'logistic', label } } },
    strategies: { model: { kind: 'model-signal', cuts: { buy: 0.05, strongBuy: 0.15 } } },
  });
  const label = { kind: 'threeClass', horizons: [5], threshold: 0.01 };
  const trained = (spec: BacktestSpec): unknown =>
    foldExperiment(spec, { trainTo: '2010-01-01', asOf: '2010-01-01T00:00:00.000Z' }).label['by'];
  assert.equal(trained(parseBacktestSpec(of(label))), 'fixed');
  assert.equal(trained(backtestSpecSchema.parse(of(label))), 'volatility');
  assert.throws(
    () => parseBacktestSpec(of({ ...label, by: 'volatility' })),
    /^SpecError: model\.walkForward\.experiment\.label\.threshold: has no effect .* Write `by: fixed`/,
  );
});

test('no strategy and no portfolio has the name of what stands beside an advised one', () => {
  const hold = { kind: 'buy-and-hold' };
  const spec = (change: object) => ({
    name: 'twins',
    data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC'] },
    period: { from: '2014-01-02' },
    strategies: { mine: { kind: 'advised-size', of: hold, signal: 'strategy' }, hold },
    ...change,
  });
  const { strategies } = spec({});
  assert.equal(Object.keys(parseBacktestSpec(spec({})).strategies).length, 2);
  for (const [twin, change] of [
    ['mine-fixed', { strategies: { ...strategies, 'mine-fixed': hold } }],
    ['mine-mean', { portfolios: { 'mine-mean': { of: ['mine', 'hold'] } } }],
  ] as const) {
    assert.throws(
      () => parseBacktestSpec(spec(change)),
      (error) => {
        assert.ok(error instanceof SpecError);
        assert.deepEqual(
          error.issues.map(({ path, message }) => [path, message]),
          [['strategies.mine', `${twin} is what stands beside it: the name is taken`]],
        );
        return true;
      },
    );
  }
});
