import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AskedSizer,
  GivenSizer,
  QuestionCollector,
  questionText,
  ruleAdvice,
  ruleSettingsSchema,
  TallySizer,
  type ExchangeRecord,
  type SizeQuestion,
} from '../../../core/advice/index.ts';
import { backtestRules, simulate, type Simulation } from '../../../core/backtest/index.ts';
import { barCount, sliceBars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { curveDifference } from '../../../core/backtest/report/curve-difference.ts';
import { parseBacktestSpec } from '../../../core/spec/index.ts';
import { decide, strategySpecSchema } from '../../../core/strategies/index.ts';
import { FACTS, factsWith } from '../../support/advice-facts.ts';
import { sp500 } from '../../support/example-bars.ts';

const settings = ruleSettingsSchema.parse({});
const calendar = calendarFor('nyse');
const bars = sliceBars(sp500(), 1000, 1700);
const ask = (openTime: number, facts = FACTS): SizeQuestion => ({
  ...{ openTime, facts },
  rule: ruleAdvice(facts, settings),
});
const record = (role: 'advisor' | 'checker', change: Partial<ExchangeRecord>): ExchangeRecord => ({
  ...{ role, model: 'm', outcome: 'answered', status: 200, fault: null, requests: 1, latencyMs: 1 },
  ...{ sizePercent: 40, verdict: role === 'checker' ? 'agree' : null, reason: 'so' },
  ...{ promptTokens: null, completionTokens: null },
  ...change,
});

describe('questions', () => {
  test('each once, in order, within the budget; of the time before the period the last alone', () => {
    const collector = new QuestionCollector(3, 100);
    const sizer = collector.sizer();
    const facts = [0.1, 0.11, 0.12, 0.12, 0.13, 0.14].map((score) => factsWith({ score }));
    facts.forEach((of, t) => sizer.decide(ask(80 + 10 * t, of)));
    const scores = [...collector.questions.values()].map(({ signal }) => signal.score);
    assert.deepEqual(scores, [0.11, 0.12, 0.13]);
  });

  test('what is told with the same six digits is one question', () => {
    const collector = new QuestionCollector(9, 0);
    const sizer = collector.sizer();
    for (const score of [0.2, 0.2 + 1e-9]) sizer.decide(ask(1, factsWith({ score })));
    assert.equal(collector.questions.size, 1);
  });

  test('nobody is asked about an abstention, an emergency or what is unknown', () => {
    const collector = new QuestionCollector(9, 0);
    const sizer = collector.sizer();
    const stopped = ask(1, factsWith({ abstain: true }));
    assert.deepEqual(sizer.decide(stopped), { size: 0.05, reason: 'abstain' });
    const unknown = { ...ask(1), facts: undefined };
    assert.equal(sizer.decide(unknown).reason, 'unknown');
    assert.equal(collector.questions.size, 0);
  });
});

test('answers decide as live ones do; without one the rule does, and says why', () => {
  const rule = ask(1).rule.size;
  const sizerWith = (...exchanges: ExchangeRecord[]) =>
    new AskedSizer(new Map([[questionText(FACTS), exchanges]]), 15);
  const advisor = record('advisor', {});
  const cases: [ExchangeRecord[], number, string][] = [
    [[advisor, record('checker', { sizePercent: 35 })], 0.35, 'agreed'],
    [[advisor, record('checker', { verdict: 'disagree' })], rule, 'disagreed'],
    [[advisor, record('checker', { sizePercent: 90 })], rule, 'disagreed'],
    [[advisor, record('checker', { outcome: 'timeout' })], rule, 'checker-failed'],
    [[record('advisor', { outcome: 'invalid', sizePercent: null })], rule, 'advisor-failed'],
  ];
  for (const [exchanges, size, reason] of cases) {
    assert.deepEqual(sizerWith(...exchanges).decide(ask(1)), { size, reason });
  }
  const other = ask(1, factsWith({ score: 0.3 }));
  assert.equal(sizerWith(advisor).decide(other).reason, 'over-budget');
  const given = new GivenSizer(new Map([[5, 0.7]]));
  assert.deepEqual(given.decide(ask(5)), { size: 0.7, reason: 'given' });
  assert.deepEqual(given.decide(ask(6)), { size: rule, reason: 'not-given' });
  const tally = new TallySizer(given, { from: 5, to: 6 });
  for (const t of [4, 5, 6, 7]) tally.decide(ask(t));
  assert.deepEqual(tally.tally, { decisions: 2, byReason: { given: 1, 'not-given': 1 } });
});

const advised = (params: object = {}) =>
  strategySpecSchema.parse({
    ...{ kind: 'advised-size', of: { kind: 'sma-cross', fast: 5, slow: 20, short: true } },
    ...{ by: 'endpoints', signal: 'strategy', ...params },
  });

test('a strategy asks at every bar with a position, or where it changes, on facts of no later bar', () => {
  const seen = (of: typeof bars, params: object): SizeQuestion[] => {
    const questions: SizeQuestion[] = [];
    const sizer = {
      decide: (question: SizeQuestion) => {
        questions.push(question);
        return { size: 0.5, reason: 'agreed' as const };
      },
    };
    const { positions } = decide(advised(params), { bars: of, calendar, sizer });
    for (const position of positions) {
      assert.ok(Number.isNaN(position) || [0, 0.5, -0.5].includes(position));
    }
    return questions;
  };
  const every = seen(bars, {});
  const changes = seen(bars, { at: 'changes' });
  assert.ok(every.length > 600 && changes.length > 5 && changes.length < 100);
  const cut = seen(sliceBars(bars, 0, 400), {});
  assert.ok(cut.length > 300);
  assert.deepEqual(every.slice(0, cut.length), cut);
});

const simulation = (change: Partial<Simulation> = {}): Simulation => ({
  instruments: [{ bars, calendar }],
  strategies: { sized: advised() },
  rules: backtestRules({ allowShort: true }),
  ...{ from: bars.openTime[100]!, to: bars.openTime[barCount(bars) - 1]!, paths: 0, seed: 1 },
  earlierSharpes: [],
  ...change,
});
const nothing = async (): Promise<void> => {};

test('whole positions and the mean size stand beside it; sizes that are all the same choose no moment', async () => {
  const sizer = { decide: () => ({ size: 0.25, reason: 'agreed' as const }) };
  const results = await simulate(simulation({ sizers: { sized: () => sizer } }), nothing);
  assert.deepEqual(
    results.map(({ name }) => name),
    ['sized', 'sized-fixed', 'sized-mean'],
  );
  const [own, fixed, mean] = results;
  assert.deepEqual(own!.twins, { fixed: 'sized-fixed', mean: 'sized-mean', meanSize: 0.25 });
  assert.deepEqual(mean!.result.curve.equity, own!.result.curve.equity);
  const plain = { sized: strategySpecSchema.parse(advised()['of']) };
  const [alone] = await simulate(simulation({ strategies: plain }), nothing);
  assert.deepEqual(fixed!.result.curve.equity, alone!.result.curve.equity);
  assert.notDeepEqual(own!.result.curve.equity, fixed!.result.curve.equity);
});

test('the account that is told is that of the whole positions, as it stood at the close', async () => {
  const questions: SizeQuestion[] = [];
  const sizer = {
    decide: (question: SizeQuestion) => {
      questions.push(question);
      return { size: 0.25, reason: 'agreed' as const };
    },
  };
  const run = (to: number) => {
    questions.length = 0;
    const strategies = { sized: advised({ account: 'fixed' }) };
    return simulate(simulation({ strategies, to, sizers: { sized: () => sizer } }), nothing);
  };
  const end = bars.openTime[barCount(bars) - 1]!;
  const [, fixed] = await run(end);
  const all = [...questions];
  const { time, equity, drawdown } = fixed!.result.curve;
  let [told, deepest] = [0, 0];
  for (const { openTime, facts, rule } of all) {
    const account = facts?.account ?? null;
    if (account === null) continue;
    const row = time.indexOf(calendar.closeTime(openTime, '1d'));
    assert.equal(account.equity, equity[row]);
    assert.ok(Math.abs(account.drawdown + drawdown[row]!) < 1e-12);
    assert.equal(rule.terms.room, Math.max(0, 1 - account.drawdown / 0.2));
    deepest = Math.max(deepest, account.drawdown);
    told++;
  }
  assert.ok(told > 400 && deepest > 0.02, `${told}, ${deepest}`);
  // What comes later changes no question before it.
  await run(bars.openTime[400]!);
  assert.ok(questions.length > 250);
  assert.deepEqual(all.slice(0, questions.length), questions);
});

describe('the difference of two curves', () => {
  const DAY = 86_400_000;
  const year = { daysPerYear: 252, riskFreePerYear: 0 };
  const curveOf = (returns: readonly number[]) => {
    let equity = 1;
    const curve = [1, ...returns.map((r) => (equity *= 1 + r))];
    return { time: curve.map((_, i) => i * DAY + 1), equity: curve };
  };
  const returns = Array.from({ length: 300 }, (_, i) => 0.01 * Math.sin(1.7 * i) + 0.0003);

  test('is nothing of a curve and itself', () => {
    const curve = curveOf(returns);
    for (const found of Object.values(curveDifference(curve, curve, year))) {
      assert.deepEqual([found.value, found.low, found.high], [0, 0, 0]);
    }
  });

  test('has the values of the formulas, and of half the risk a drawdown that is surely less deep', () => {
    const half = curveOf(returns.map((r) => r / 2));
    const whole = curveOf(returns);
    const { annualReturn, sharpe, maxDrawdown } = curveDifference(half, whole, year);
    const growth = (of: number[]): number => (of.at(-1)! / of[0]!) ** (252 / 300) - 1;
    const wanted = growth(half.equity) - growth(whole.equity);
    assert.ok(Math.abs(annualReturn.value! - wanted) < 1e-12);
    assert.ok(Math.abs(sharpe.value!) < 1e-9, 'a size changes no Sharpe ratio');
    const depth = (of: number[]): number =>
      Math.min(...of.map((x, i) => x / Math.max(...of.slice(0, i + 1)) - 1));
    assert.ok(Math.abs(maxDrawdown.value! - (depth(half.equity) - depth(whole.equity))) < 1e-12);
    assert.ok(maxDrawdown.low! > 0 && maxDrawdown.low! <= maxDrawdown.high!);
  });

  test('is not told from few days', () => {
    const few = curveOf(returns.slice(0, 10));
    const { annualReturn, maxDrawdown } = curveDifference(few, few, year);
    assert.deepEqual([annualReturn.value, maxDrawdown.low], [null, null]);
  });
});

describe('mistakes of a spec', () => {
  const spec = (strategies: object, more: object = {}) => ({
    ...{ name: 'x', period: { from: '2015-01-02' }, strategies, ...more },
    data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
  });
  const own = { kind: 'advised-size', signal: 'strategy' };
  const mistakes: [string, object, RegExp][] = [
    ['no registered model', spec({ a: { ...own, by: 'history' } }), /what was advised on a reg/],
    ['a name', spec({ a: own, 'a-mean': { kind: 'macd' } }), /a-mean is what stands beside it/],
    [
      'inside',
      spec({ a: { kind: 'volatility-target', of: { ...own, by: 'endpoints' } } }),
      /inside another strategy/,
    ],
    ['no model', spec({ a: { ...own, signal: 'model' } }), /is missing: a ask a model/],
  ];
  for (const [what, given, words] of mistakes) {
    test(what, () => {
      assert.throws(
        () => parseBacktestSpec(given),
        (error: unknown) => words.test(JSON.stringify((error as { issues?: unknown }).issues)),
      );
    });
  }
  test('none', () => assert.ok(parseBacktestSpec(spec({ a: { ...own, by: 'endpoints' } }))));
});
