import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barsFromRows, sliceBars, type Bars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { decide, strategySpecSchema } from '../../../core/strategies/index.ts';
import { reversionPositions } from '../../../core/strategies/reversion.ts';
import { rollingQuantiles } from '../../../core/strategies/rolling-quantiles.ts';
import { sp500 } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const nyse = calendarFor('nyse');
const bars = sp500();
const { close } = bars;
const rows = close.length;

const run = (spec: object, of: Bars = bars): Float64Array =>
  decide(strategySpecSchema.parse(spec), { bars: of, calendar: nyse }).positions;
const list = (x: ArrayLike<number>): number[] => Array.from(x);
const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const last = (t: number, n: number): number[] => list(close.slice(t - n + 1, t + 1));
const changes = (x: Float64Array): number =>
  x.reduce((sum, p, t) => (t > 0 && !Number.isNaN(x[t - 1]!) && p !== x[t - 1] ? sum + 1 : sum), 0);

test('sma-cross: every bar of 20 years as two naive averages say', () => {
  const found = run({ kind: 'sma-cross', fast: 20, slow: 50, short: true });
  let crossings = 0;
  let before = 0;
  for (let t = 49; t < rows; t++) {
    const side = mean(last(t, 20)) > mean(last(t, 50)) ? 1 : -1;
    assert.equal(found[t], side, `row ${t}`);
    if (before !== 0 && side !== before) crossings++;
    before = side;
  }
  assert.equal(changes(found), crossings);
  assert.ok(crossings > 80 && crossings < 160, `${crossings}`);
  const long = run({ kind: 'sma-cross' });
  assert.deepEqual(
    long,
    found.map((p) => (p < 0 ? 0 : p)),
  );
});

test('rsi: without short positions it is held until the exit, wherever sellAbove lies', () => {
  const at = (more: object) => list(run({ kind: 'rsi', period: 2, buyBelow: 10, ...more }));
  const late = at({ exitAt: 80 });
  assert.deepEqual(late, at({ exitAt: 80, sellAbove: 95 }));
  assert.notDeepEqual(late, at({ exitAt: 70 }));
  // Where both could be given before, positions are what they were.
  const long = at({ exitAt: 50, sellAbove: 70 });
  const both = at({ exitAt: 50, sellAbove: 70, short: true });
  assert.ok(both.every((position, t) => position !== 1 || long[t] === 1));
});

test('rsi: a naive Wilder RSI and a naive state machine over the first 250 bars', () => {
  const of = sliceBars(bars, 0, 250);
  // Bought at 35, sold at 65: of 250 bars few are at 30.
  const found = run({ kind: 'rsi', buyBelow: 35, sellAbove: 65, holdBars: 12, short: true }, of);
  let up = 0;
  let down = 0;
  let state = 0;
  let since = 0;
  const seen = new Set<number>();
  for (let t = 1; t < 250; t++) {
    const move = close[t]! - close[t - 1]!;
    if (t <= 14) {
      up += Math.max(0, move) / 14;
      down += Math.max(0, -move) / 14;
    } else {
      up = (13 * up + Math.max(0, move)) / 14;
      down = (13 * down + Math.max(0, -move)) / 14;
    }
    if (t < 14) continue;
    const rsi = 100 - 100 / (1 + up / down);
    since++;
    if (rsi <= 35) [state, since] = [1, 0];
    else if (rsi >= 65) [state, since] = [-1, 0];
    else if (state === 1 && (rsi >= 50 || since >= 12)) state = 0;
    else if (state === -1 && (rsi <= 50 || since >= 12)) state = 0;
    assert.equal(found[t], state, `row ${t}`);
    seen.add(state);
  }
  assert.equal(seen.size, 3);
});

test('bollinger: a naive band; bought below it, held until the average', () => {
  const found = run({ kind: 'bollinger', holdBars: 1000 });
  let state = 0;
  let entries = 0;
  for (let t = 19; t < rows; t++) {
    const window = last(t, 20);
    const middle = mean(window);
    const sd = Math.sqrt(mean(window.map((c) => (c - middle) ** 2)));
    const before = state;
    if (close[t]! <= middle - 2 * sd) state = 1;
    else if (close[t]! >= middle) state = 0;
    if (state > before) entries++;
    assert.equal(found[t], state, `row ${t}`);
  }
  assert.ok(entries > 90 && entries < 250, `${entries}`);
});

test('macd: TA-Lib averages by hand over the first 200 bars', () => {
  const found = run({ kind: 'macd', short: true }, sliceBars(bars, 0, 200));
  let fast = mean(last(25, 12));
  let slow = mean(last(25, 26));
  const lines: number[] = [];
  let signal = NaN;
  for (let t = 25; t < 200; t++) {
    if (t > 25) {
      fast += (2 / 13) * (close[t]! - fast);
      slow += (2 / 27) * (close[t]! - slow);
    }
    lines.push(fast - slow);
    if (lines.length < 9) continue;
    signal = lines.length === 9 ? mean(lines) : signal + 0.2 * (lines.at(-1)! - signal);
    assert.equal(found[t], lines.at(-1)! > signal ? 1 : -1, `row ${t}`);
  }
  assert.ok(changes(found) > 5);
});

test('volatility-target: .15 over the annual SD of 20 log returns, at most the cap, times the strategy', () => {
  const found = run({ kind: 'volatility-target', of: { kind: 'sma-cross' }, cap: 0.9 });
  const cross = run({ kind: 'sma-cross' });
  let capped = 0;
  for (let t = 60; t < rows; t += 7) {
    const returns = Array.from({ length: 20 }, (_, i) =>
      Math.log(close[t - i]! / close[t - i - 1]!),
    );
    const m = mean(returns);
    const sd = Math.sqrt(returns.reduce((a, r) => a + (r - m) ** 2, 0) / 19);
    const factor = Math.min(0.9, 0.15 / (sd * Math.sqrt(252)));
    if (factor === 0.9) capped++;
    assert.ok(Math.abs(found[t]! - factor * cross[t]!) < 1e-9, `row ${t}`);
  }
  assert.ok(capped > 100 && capped < 600, `${capped}`);
});

test('volatility-target: what was held had about the volatility that was meant', () => {
  const found = run({ kind: 'volatility-target', annualVolatility: 0.1 });
  const made: number[] = [];
  for (let t = 21; t < rows; t++) made.push(found[t - 1]! * (close[t]! / close[t - 1]! - 1));
  const m = mean(made);
  const annual = Math.sqrt(mean(made.map((r) => (r - m) ** 2)) * 252);
  assert.ok(annual > 0.09 && annual < 0.12, `${annual}`);
});

test('prices that stand still: the cap, no reversion, no trend', () => {
  const still = barsFromRows(
    'X',
    '1d',
    Array.from({ length: 300 }, (_, i) => ({
      openTime: nyse.addBars(bars.openTime[0]!, i, '1d'),
      open: 5,
      high: 5,
      low: 5,
      close: 5,
      volume: 0,
    })),
  );
  const at = (spec: object) => run(spec, still)[299];
  assert.equal(at({ kind: 'volatility-target', cap: 0.7 }), 0.7);
  for (const kind of ['sma-cross', 'macd', 'rsi', 'bollinger']) {
    assert.equal(at({ kind, short: true }), 0, kind);
  }
  assert.equal(at({ kind: 'regime', normal: { kind: 'buy-and-hold', position: 0.25 } }), 0.25);
});

test('regime: by naive quantiles of the past alone, and each part is named', () => {
  const of = sliceBars(bars, 0, 900);
  const spec = strategySpecSchema.parse({
    kind: 'regime',
    window: 100,
    low: 0.25,
    high: 0.8,
    calm: { kind: 'buy-and-hold', position: 1 },
    normal: { kind: 'buy-and-hold', position: 0.5 },
    turbulent: { kind: 'buy-and-hold', position: -1 },
  });
  const { positions, parts, decidedBy } = decide(spec, { bars: of, calendar: nyse });
  const sd = (t: number): number => {
    const returns = Array.from({ length: 20 }, (_, i) =>
      Math.log(close[t - i]! / close[t - i - 1]!),
    );
    const m = mean(returns);
    return Math.sqrt(returns.reduce((a, r) => a + (r - m) ** 2, 0) / 19);
  };
  const counts = new Map<string, number>();
  for (let t = 120; t < 900; t++) {
    const past = Array.from({ length: 100 }, (_, i) => sd(t - 1 - i)).sort((a, b) => a - b);
    // Linear interpolation: places 24.75 and 79.2 of 0..99.
    const low = past[24]! + 0.75 * (past[25]! - past[24]!);
    const high = past[79]! + 0.2 * (past[80]! - past[79]!);
    const expected = sd(t) < low ? 1 : sd(t) > high ? -1 : 0.5;
    assert.equal(positions[t], expected, `row ${t}`);
    const { name } = parts[decidedBy[t]!]!;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].sort(), [
    'regime.calm:buy-and-hold',
    'regime.normal:buy-and-hold',
    'regime.turbulent:buy-and-hold',
  ]);
  for (const count of counts.values()) assert.ok(count > 80);
});

test('rolling quantiles: as sorting each window anew; a NaN is missed while it is in the window', () => {
  const uniform = seededUniform(2);
  const x = Float64Array.from({ length: 400 }, (_, t) =>
    t === 150 ? NaN : Math.round(20 * uniform()),
  );
  const [median, top] = rollingQuantiles(x, 21, [0.5, 1]);
  for (let t = 0; t < 400; t++) {
    const past = list(x.slice(Math.max(0, t - 21), t)).sort((a, b) => a - b);
    const whole = past.length === 21 && !past.some(Number.isNaN);
    assert.equal(median![t], whole ? past[10] : NaN, `row ${t}`);
    assert.equal(top![t], whole ? past[20] : NaN);
  }
});

test('reversion: held so many bars after the last call, ended by the exit, turned by the other side', () => {
  const rule = { low: -2, high: 2, exit: 0, holdBars: 3, short: true };
  const of = (...x: number[]) => list(reversionPositions(Float64Array.from(x), rule));
  assert.deepEqual(of(-1, -2, -1, -1, -1, -1), [0, 1, 1, 1, 0, 0]);
  assert.deepEqual(of(-2, -1, -2.5, -1, -1, -1), [1, 1, 1, 1, 1, 0]);
  assert.deepEqual(of(-3, -1, 0, -1, 3, 1, 0, 1), [1, 1, 0, 0, -1, -1, 0, 0]);
  assert.deepEqual(of(-3, 2, -1), [1, -1, 0]);
  assert.deepEqual(of(NaN, -3, NaN, -1), [NaN, 1, NaN, 0]);
});
