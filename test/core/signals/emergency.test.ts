import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barsFromRows, sliceBars, type Bars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { lookaheadOf } from '../../../core/lookahead/index.ts';
import {
  EMERGENCY_STOP,
  EMERGENCY_WARMUP_BARS,
  emergencyColumns,
  emergencyScore,
  twoSidedScore,
  type Recommended,
} from '../../../core/signals/index.ts';
import { sp500 } from '../../support/example-bars.ts';

const always = calendarFor('24x7');
const nyse = calendarFor('nyse');

/** Hourly bars with these log returns, from a price of 100. */
function barsOfReturns(returns: readonly number[]): Bars {
  let close = 100;
  const closes = [close, ...returns.map((r) => (close *= Math.exp(r)))];
  return barsFromRows(
    'X',
    '1h',
    closes.map((c, i) => ({
      openTime: i * 3_600_000,
      open: c,
      high: c,
      low: c,
      close: c,
      volume: 1,
    })),
  );
}
/** 30 returns of +1 % and -1 % in turn: the SD of 20 of them is .01 sqrt(20/19). */
const zigzag = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? 0.01 : -0.01));
const sd = 0.01 * Math.sqrt(20 / 19);
const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs(actual! - expected) < 1e-9, `${actual} is not ${expected}`);

test('A by hand: a fall of 5 SD of the bars before is (5 - 3) / 5, and itself not in that SD', () => {
  const found = emergencyScore(barsOfReturns([...zigzag, -5 * sd]), always)!;
  near(found.shock, 0.4);
  // The highest close of 24 bars is one step of 1 % above the bar before.
  near(found.drawdown, 0);
  assert.equal(found.probability, 0);
  near(found.score, 0.4);
  const worse = emergencyScore(barsOfReturns([...zigzag, -8 * sd]), always)!;
  near(worse.shock, 1);
  assert.equal(emergencyScore(barsOfReturns([...zigzag, 9 * sd]), always)!.shock, 0);
});

test('D by hand: steady falls of 1.5 SD that no single bar shows', () => {
  const falls = Array.from({ length: 10 }, () => -1.5 * sd);
  const bars = barsOfReturns([...zigzag, ...falls]);
  const found = emergencyScore(bars, always)!;
  // 20 returns up to the bar before: 11 of the zigzag and 9 falls.
  const window = [...zigzag.slice(-11), ...falls.slice(0, 9)];
  const mean = window.reduce((a, b) => a + b, 0) / 20;
  const s = Math.sqrt(window.reduce((a, r) => a + (r - mean) ** 2, 0) / 19);
  // The high is the zigzag's upper price, one step of .01 above its end.
  const depth = 15 * sd + 0.01;
  near(found.drawdown, (depth / (s * Math.sqrt(24)) - 2) / 3);
  assert.equal(found.shock, 0);
  near(found.score, found.drawdown);
  assert.ok(found.score > 0.1 && found.score < 0.8);
});

test('P by hand: p(sell) - p(buy) of .7 is (.7 - .3) / .5 = .8, where one stops', () => {
  const bars = barsOfReturns(zigzag);
  const said = (score: number): Recommended => ({
    recommendation: 'strong_sell',
    score,
    probability: 0.1,
    basis: 'twoSided',
    cuts: { buy: 0.15, strongBuy: 0.35 },
  });
  const found = emergencyScore(bars, always, said(-0.7))!;
  near(found.probability, 0.8);
  near(found.score, 0.8);
  assert.ok(found.score >= EMERGENCY_STOP - 1e-12);
  assert.equal(emergencyScore(bars, always, said(-0.3))!.probability, 0);
  assert.equal(emergencyScore(bars, always, said(0.9))!.probability, 0);
  assert.equal(emergencyScore(bars, always, said(-1))!.probability, 1);
  // "Less likely to rise than usual" says nothing of a fall.
  const rare: Recommended = { ...said(-2), basis: 'againstBaseRate' };
  assert.ok(Number.isNaN(twoSidedScore(rare)));
  assert.equal(emergencyScore(bars, always, rare)!.probability, 0);
});

test('prices that stood still and fall are an emergency; while they stand still they are none', () => {
  const still = Array.from({ length: 30 }, () => 0);
  assert.deepEqual(emergencyScore(barsOfReturns(still), always), {
    score: 0,
    shock: 0,
    drawdown: 0,
    probability: 0,
  });
  assert.equal(emergencyScore(barsOfReturns([...still, -0.001]), always)!.score, 1);
});

test('NaN exactly while warming up, and undefined at the last of such bars', () => {
  const bars = sp500();
  const { score } = emergencyColumns(bars, nyse);
  assert.equal(EMERGENCY_WARMUP_BARS, 23);
  score.forEach((value, t) => assert.equal(Number.isNaN(value), t < 23, `row ${t}`));
  assert.equal(emergencyScore(sliceBars(bars, 0, 23), nyse), undefined);
  assert.ok(emergencyScore(sliceBars(bars, 0, 24), nyse));
  assert.equal(emergencyScore(sliceBars(bars, 0, 0), nyse), undefined);
});

test('real bars: no look-ahead, rare, and two days everybody remembers are among them', () => {
  const bars = sp500();
  const columns = emergencyColumns(bars, nyse);
  const score = bars.close.map((_, t) => Math.sin(t));
  const found = lookaheadOf(
    (of) => ({ ...emergencyColumns(of, nyse, score) }),
    bars,
    [24, 700, 4000],
  );
  assert.deepEqual(found, []);
  const days = Array.from(columns.score.keys()).filter((t) => columns.score[t]! >= EMERGENCY_STOP);
  const dates = days.map((t) => new Date(bars.openTime[t]!).toISOString().slice(0, 10));
  assert.ok(days.length >= 3 && days.length < 0.03 * bars.close.length, `${days.length}`);
  assert.ok(dates.includes('2007-02-27'), dates.join(' '));
  assert.ok(dates.includes('2016-06-24'), dates.join(' '));
});

test('an answer carries the last value of the column', () => {
  const bars = sliceBars(sp500(), 0, 1200);
  const columns = emergencyColumns(bars, nyse);
  const { score, shock, drawdown } = emergencyScore(bars, nyse)!;
  assert.deepEqual(
    [score, shock, drawdown],
    [columns.score[1199], columns.shock[1199], columns.drawdown[1199]],
  );
});
