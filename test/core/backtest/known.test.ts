/** Nothing fills before it is known, but for the first moments of a bar, and a result says so. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { barCount } from '../../../core/bars/index.ts';
import {
  backtestRules,
  evaluateBacktest,
  runBacktest,
  type BacktestRulesInput,
  type InstrumentSeries,
} from '../../../core/backtest/index.ts';
import { walkBars } from '../../support/example-bars.ts';
import { daily, hourly, seriesOf } from './scene.ts';

const MIN = 60_000;
const HOUR = 60 * MIN;

/** Bars whose opens are 100, 101, ...: a trade says at which it was filled. */
const ROWS = Array.from({ length: 12 }, (_, t) => [100 + t, 100 + t, 100 + t, 100.5 + t]);
const TARGETS = [1, 1, 1, 0, 0, 1, 1, NaN, 0, 0, 0, 0];

function barsOfTrades(more: Partial<InstrumentSeries>, rules: BacktestRulesInput = {}) {
  const run = runBacktest([seriesOf(ROWS, TARGETS, more)], backtestRules(rules));
  const first = Date.UTC(2024, 0, 1);
  const barAt = (time: number): number => (time - first) / (24 * HOUR);
  return run.trades.map(({ entryTime, exitTime }) => [barAt(entryTime), barAt(exitTime)]);
}

describe('a decision that is known after its close', () => {
  it('fills at the next open within the share of a bar that the rules declare', () => {
    const filled = [
      [1, 4],
      [6, 9],
    ];
    assert.deepEqual(barsOfTrades({}), filled);
    assert.deepEqual(barsOfTrades({ knownAfterMs: 30 * MIN }), filled);
  });

  it('fills a bar later beyond it, or as many as it takes', () => {
    assert.deepEqual(barsOfTrades({ knownAfterMs: 30 * MIN }, { fill: { knownWithin: 0 } }), [
      [2, 5],
      [7, 10],
    ]);
    assert.deepEqual(barsOfTrades({ knownAfterMs: 2 * HOUR }), [
      [2, 5],
      [7, 10],
    ]);
    assert.deepEqual(barsOfTrades({ knownAfterMs: 26 * HOUR }), [
      [3, 6],
      [8, 11],
    ]);
    // A bar later than that is added to it.
    assert.deepEqual(barsOfTrades({ knownAfterMs: 2 * HOUR }, { fill: { delayBars: 1 } }), [
      [3, 6],
      [8, 11],
    ]);
  });

  it('fills at the next close where it is known by then', () => {
    assert.deepEqual(
      barsOfTrades({ knownAfterMs: 2 * HOUR }, { fill: { at: 'nextClose', knownWithin: 0 } }),
      barsOfTrades({}, { fill: { at: 'nextClose' } }),
    );
  });

  it('changes nothing where markets are closed in between', () => {
    const sessions = daily.between(Date.UTC(2024, 0, 3), Date.UTC(2024, 5, 3), '1d');
    const bars = walkBars(sessions, 3);
    const targets = bars.close.map((_, t) => Math.floor(t / 7) % 2);
    const series = { bars, calendar: daily, targets };
    const rules = backtestRules({ fill: { knownWithin: 0 } });
    const result = evaluateBacktest([{ ...series, knownAfterMs: 45 * MIN }], rules);
    assert.deepEqual(result, evaluateBacktest([series], rules));
  });

  it('leaves longs in an emergency once its score is known', () => {
    const emergencyScore = new Float64Array(12).map((_, t) => (t === 1 ? 0.9 : 0));
    const stops = { emergencyScore: 0.8 };
    const exit = (knownAfterMs: number) => {
      const trades = barsOfTrades({ emergencyScore, knownAfterMs }, { stops });
      return trades.map(([, out]) => out)[0];
    };
    assert.equal(exit(0), 2);
    assert.equal(exit(2 * HOUR), 3);
  });
});

describe('hours of a market that never closes', () => {
  const times = Float64Array.from({ length: 24 * 30 }, (_, i) => Date.UTC(2024, 0, 1) + i * HOUR);
  const bars = { ...walkBars(times, 5, '1h'), instrument: 'COIN' };
  const targets = bars.close.map((_, t) => Math.floor(t / 9) % 2);
  const evaluated = (knownAfterMs: number, rules: BacktestRulesInput, sensitivity = false) =>
    evaluateBacktest([{ bars, calendar: hourly, targets, knownAfterMs }], backtestRules(rules), {
      sensitivity,
    });
  const noted = (notes: readonly string[]) => notes.filter((note) => /known/.test(note));

  it('fill at the open a minute before they are known, which the result says, with a bar of delay beside', () => {
    const { notes, sensitivity, instruments, rules } = evaluated(MIN, {}, true);
    assert.deepEqual([instruments[0]!.lateMs, instruments[0]!.waits], [MIN, undefined]);
    assert.equal(rules.fill.knownWithin, 0.05);
    const later = (100 * sensitivity!.delays[1]!.totalReturn).toFixed(1);
    assert.equal(noted(notes).length, 1);
    assert.match(noted(notes)[0]!, /up to 1 min before .* \(COIN\)/);
    assert.ok(noted(notes)[0]!.includes(`the total return is ${later} %`), notes.join('\n'));
  });

  it('wait for a source that takes a quarter of an hour, and say so', () => {
    const { notes, instruments, curve } = evaluated(16 * MIN, {});
    assert.deepEqual([instruments[0]!.lateMs, instruments[0]!.waits], [undefined, 1]);
    assert.match(noted(notes)[0]!, /Decisions on COIN fill up to a bar later/);
    const declared = evaluated(0, { fill: { delayBars: 1 } });
    assert.deepEqual(curve.equity, declared.curve.equity);
    assert.equal(
      evaluated(16 * MIN, { fill: { knownWithin: 0.5 } }).instruments[0]!.waits,
      undefined,
    );
  });

  it('look at no bar before it is known', () => {
    const rows = barCount(bars);
    const cut = 400;
    const changed = targets.map((target, t) => (t >= cut ? 1 - target : target));
    const rules = backtestRules({ fill: { knownWithin: 0 } });
    const equity = (of: Float64Array) =>
      runBacktest([{ bars, calendar: hourly, targets: of, knownAfterMs: MIN }], rules).equity;
    const [one, other] = [equity(targets), equity(changed)];
    // Decided at the close of `cut`, known a minute into the bar after it, filled at the open of the one after that.
    assert.deepEqual(one.subarray(0, cut + 2), other.subarray(0, cut + 2));
    assert.notDeepEqual(one.subarray(0, rows), other.subarray(0, rows));
  });
});
