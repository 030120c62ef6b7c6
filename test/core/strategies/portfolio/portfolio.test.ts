import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barCount, barsBetween, sliceBars, type Bars } from '../../../../core/bars/index.ts';
import { calendarFor } from '../../../../core/calendar/index.ts';
import { lookaheadOf } from '../../../../core/lookahead/index.ts';
import { decide, strategySpecSchema } from '../../../../core/strategies/index.ts';
import {
  portfolioSchema,
  portfolioTargets,
  type PortfolioColumn,
  type PortfolioTargets,
} from '../../../../core/strategies/portfolio/index.ts';
import { nasdaq, sp500, walkBars } from '../../../support/example-bars.ts';

const nyse = calendarFor('nyse');
const always = calendarFor('24x7');
const DAY_MS = 86_400_000;
const isoDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const spx = sliceBars(sp500(), 0, 1500);
const ixic = sliceBars(nasdaq(), 0, 1500);
/** A market that never closes, over the same years. */
const coin = walkBars(
  Float64Array.from({ length: 1900 }, (_, day) => spx.openTime[0]! + day * DAY_MS),
  11,
);

const held = (bars: Bars, calendar = nyse): PortfolioColumn => ({
  name: bars.instrument,
  bars,
  calendar,
  positions: new Float64Array(barCount(bars)).fill(1),
});
const traded = (spec: { kind: string; [param: string]: unknown }, bars: Bars, calendar = nyse) => ({
  name: `${spec.kind} ${bars.instrument}`,
  bars,
  calendar,
  positions: decide(strategySpecSchema.parse(spec), { bars, calendar }).positions,
});
const run = (columns: readonly PortfolioColumn[], spec: object = {}): PortfolioTargets =>
  portfolioTargets(columns, portfolioSchema.parse(spec));
const given = (targets: Float64Array): number[] =>
  Array.from(targets.keys()).filter((t) => !Number.isNaN(targets[t]!));

const near = (a: ArrayLike<number>, b: readonly number[]) =>
  b.forEach((value, i) => assert.ok(Math.abs(a[i]! - value) < 1e-12, `${a[i]} is not ${value}`));

test('equal weights, monthly: a target at the first session of each month and at no other', () => {
  const { rebalancings, instruments } = run([held(spx), held(ixic)]);
  assert.equal(instruments.length, 2);
  for (const { bars, targets } of instruments) {
    const at = given(targets);
    // 60 returns are there from 1999-03-31 on.
    assert.equal(isoDay(bars.openTime[at[0]!]!), '1999-04-01');
    assert.equal(at.length, rebalancings.length);
    for (const t of at) {
      assert.equal(targets[t], 0.5);
      const [now, before] = [bars.openTime[t]!, bars.openTime[t - 1]!];
      assert.notEqual(new Date(now).getUTCMonth(), new Date(before).getUTCMonth());
    }
  }
  // April 1999 to December 2004.
  assert.equal(rebalancings.length, 69);
  assert.equal(rebalancings[0]!.cash, 0);
});

test('weeks begin on Monday, or on Tuesday after a holiday; every n bars by the calendar', () => {
  const weekly = run([held(spx)], { rebalance: 'week', window: 10 }).instruments[0]!;
  const days = given(weekly.targets).map((t) => new Date(spx.openTime[t]!).getUTCDay());
  assert.deepEqual(new Set(days), new Set([1, 2]));
  assert.ok(days.filter((day) => day === 1).length > 0.85 * days.length, `${days}`);
  const spec = { rebalance: { bars: 10 }, window: 10 };
  const every = given(run([held(spx)], spec).instruments[0]!.targets);
  assert.ok(every.slice(1).every((t, k) => t - every[k]! === 10));
  const later = given(run([held(sliceBars(spx, 33))], spec).instruments[0]!.targets);
  assert.deepEqual(
    later.map((t) => t + 33),
    every.filter((t) => t >= later[0]! + 33),
    'the same days from a later start',
  );
});

test('inverse volatility: by the 60 returns up to the day of the decision, checked by hand', () => {
  const { rebalancings, instruments } = run([held(spx), held(ixic)], {
    allocation: { kind: 'inverse-volatility' },
  });
  const at = given(instruments[0]!.targets);
  const sd = ({ close }: Bars, t: number): number => {
    const r = Array.from({ length: 60 }, (_, i) => close[t - i]! / close[t - i - 1]! - 1);
    const mean = r.reduce((a, b) => a + b, 0) / 60;
    return Math.sqrt(r.reduce((a, x) => a + (x - mean) ** 2, 0) / 60);
  };
  at.forEach((t, k) => {
    const [a, b] = [1 / sd(spx, t), 1 / sd(ixic, t)];
    assert.ok(Math.abs(instruments[0]!.targets[t]! - a / (a + b)) < 1e-9, `row ${t}`);
    assert.equal(rebalancings[k]!.weights[1], instruments[1]!.targets[t]);
    assert.equal(rebalancings[k]!.knownAt, nyse.closeTime(spx.openTime[t]!, '1d'));
  });
  // The technology index was the more volatile one in all these years.
  assert.ok(
    at.every((t) => instruments[0]!.targets[t]! > 0.5),
    'more of the calmer one',
  );
});

test('two strategies on one instrument add up, and a change of position is a target', () => {
  const cross = traded({ kind: 'sma-cross', short: true }, spx);
  const always1 = held(spx);
  const { instruments } = run([cross, always1], { maxTotal: 0.8 });
  assert.equal(instruments.length, 1);
  const { targets } = instruments[0]!;
  // By then the crossover has had an opinion for 60 bars, too.
  const from = 130;
  const at = given(targets).filter((t) => t >= from);
  for (const t of at) near([targets[t]!], [0.4 * cross.positions[t]! + 0.4]);
  let changes = 0;
  for (let t = from; t < 1500; t++) {
    if (cross.positions[t] === cross.positions[t - 1]) continue;
    changes++;
    assert.ok(!Number.isNaN(targets[t]!), `row ${t}`);
  }
  assert.ok(changes > 10 && at.length > 69, `${changes} changes`);
});

test('a strategy is weighed by what it earned: the position of the close before, times the return', () => {
  const turning = {
    ...held(spx),
    name: 'turning',
    positions: spx.close.map((_, t) => (t % 3) - 1),
  };
  const allocation = { kind: 'inverse-volatility' };
  const { rebalancings, instruments } = run([turning, held(ixic)], { allocation });
  const sd = (r: readonly number[]): number => {
    const mean = r.reduce((a, b) => a + b, 0) / r.length;
    return Math.sqrt(r.reduce((a, x) => a + (x - mean) ** 2, 0) / r.length);
  };
  const rows = given(instruments[1]!.targets);
  for (const [k, t] of rows.entries()) {
    const last = Array.from({ length: 60 }, (_, i) => t - i);
    const [own, other] = [turning, held(ixic)].map(({ bars: { close }, positions }) =>
      sd(last.map((i) => positions[i - 1]! * (close[i]! / close[i - 1]! - 1))),
    );
    near(rebalancings[k]!.weights, [1 / own! / (1 / own! + 1 / other!)]);
  }
});

test('a strategy that was flat has no risk to be weighed by; by its instrument it has', () => {
  const flat = { ...held(ixic), name: 'flat', positions: new Float64Array(1500) };
  const allocation = { kind: 'inverse-volatility' };
  const last = (spec: object) => run([held(spx), flat], spec).rebalancings.at(-1)!;
  assert.deepEqual(Array.from(last({ allocation }).weights), [1, 0]);
  const byInstrument = last({ allocation, returnsOf: 'instrument' }).weights;
  assert.ok(byInstrument[1]! > 0.2 && byInstrument[1]! < 0.5);
  assert.deepEqual(Array.from(last({}).weights), [0.5, 0.5]);
});

test('an instrument that comes later takes part once it has returns enough', () => {
  const late = sliceBars(ixic, 700);
  const { rebalancings } = run([held(spx), held(late)], {
    allocation: { kind: 'minimum-variance' },
    maxWeight: 0.7,
  });
  const from = late.openTime[60]!;
  for (const { knownAt, weights, cash } of rebalancings) {
    const together = knownAt >= from;
    assert.equal(weights[1]! > 0, together, isoDay(knownAt));
    assert.ok(Math.abs(cash - (together ? 0 : 0.3)) < 1e-12);
  }
});

test('kelly keeps cash in a falling market', () => {
  const { rebalancings } = run([held(spx), held(ixic)], {
    allocation: { kind: 'kelly' },
    window: 250,
    maxWeight: 0.6,
  });
  const in2001 = rebalancings.filter(({ knownAt }) => isoDay(knownAt).startsWith('2001'));
  assert.deepEqual(
    in2001.map(({ cash }) => cash),
    Array.from({ length: 12 }, () => 1),
  );
  const boom = rebalancings.find(({ knownAt }) => isoDay(knownAt) === '2000-03-01')!;
  near(boom.weights, [0.4, 0.6]);
});

test('what a market that never closes does until midnight, an exchange learns on its next day', () => {
  const { instruments, rebalancings } = run([held(spx), held(coin, always)]);
  const [exchange, coins] = instruments;
  const first = given(exchange!.targets)[0]!;
  // Decided on the session of the 1st of the month, whose coins close at midnight.
  assert.equal(isoDay(rebalancings[0]!.knownAt - 1), '1999-04-01');
  assert.equal(isoDay(spx.openTime[first]!), '1999-04-05');
  assert.equal(isoDay(coin.openTime[given(coins!.targets)[0]!]!), '1999-04-01');
});

test('no look-ahead: targets of any rule on bars cut at any moment, mixed calendars too', () => {
  const columns = (until: number): PortfolioColumn[] => {
    const cut = (bars: Bars, calendar = nyse) => {
      const closed = bars.openTime.filter((time) => calendar.closeTime(time, '1d') <= until);
      return barsBetween(bars, 0, (closed.at(-1) ?? 0) + 1);
    };
    return [
      held(cut(spx)),
      traded({ kind: 'sma-cross', short: true }, cut(spx)),
      traded({ kind: 'volatility-target' }, cut(ixic)),
      traded({ kind: 'rsi' }, cut(coin, always), always),
    ];
  };
  for (const kind of ['equal', 'inverse-volatility', 'minimum-variance', 'kelly']) {
    const spec = { allocation: { kind }, rebalance: 'week', window: 30, maxWeight: 0.5 };
    const targets = (until: number) => run(columns(until), spec).instruments;
    const whole = targets(Infinity);
    for (const day of [120, 333, 700, 1200]) {
      // At the close of the exchange, when the coins of that day still trade.
      const cut = targets(nyse.closeTime(spx.openTime[day]!, '1d'));
      cut.forEach(({ targets: part }, i) => {
        assert.ok(part.length > 100);
        assert.deepEqual(part, whole[i]!.targets.subarray(0, part.length), `${kind} ${day} ${i}`);
      });
    }
    const of = (bars: Bars) => {
      const [{ targets }] = run([held(bars)], spec).instruments as [
        PortfolioTargets['instruments'][0],
      ];
      return { targets };
    };
    assert.deepEqual(lookaheadOf(of, spx, [100, 500, 1499]), []);
  }
});

test('columns that do not fit are refused', () => {
  const hourly = walkBars(Float64Array.of(0, 3_600_000), 1, '1h');
  const fails = (columns: readonly PortfolioColumn[], code: string, spec: object = {}) =>
    assert.throws(() => run(columns, spec), { code });
  fails([], 'portfolio.empty');
  fails(
    Array.from({ length: 51 }, () => held(spx)),
    'portfolio.columns',
  );
  fails([held(spx), held(hourly, always)], 'portfolio.timeframe');
  // Of which calendar, would depend on the order of the columns.
  const mixed = [held(spx), held(coin, always)];
  for (const columns of [mixed, mixed.toReversed()]) {
    fails(columns, 'portfolio.calendar', { rebalance: { bars: 20 } });
  }
  fails([{ ...held(spx), positions: new Float64Array(3) }], 'portfolio.positions');
  fails([held(spx), held(sliceBars(spx, 1))], 'portfolio.bars');
  assert.equal(portfolioSchema.safeParse({ maxWeight: 1.5 }).success, false);
  assert.equal(portfolioSchema.safeParse({ rebalance: { bars: 0 } }).success, false);
  assert.equal(portfolioSchema.safeParse({ allocation: { kind: 'best' } }).success, false);
});
