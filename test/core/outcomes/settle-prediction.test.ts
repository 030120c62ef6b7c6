import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import { isoTime } from '../../../core/calendar/day.ts';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';
import {
  settlePrediction,
  UNKNOWN_AFTER_MS,
  type Closes,
  type SettleContext,
  type SettledAnswer,
} from '../../../core/outcomes/index.ts';

const HOUR = 3_600_000;
const nyse = calendarFor('nyse');
const always = calendarFor('24x7');

/** Closes by ISO time, all known at once and without factors. */
function closes(prices: Readonly<Record<string, number>>): Closes {
  const times = Object.keys(prices).sort();
  const price = Float64Array.from(times, (time) => prices[time]!);
  return {
    openTime: Float64Array.from(times, (time) => Date.parse(time)),
    raw: price,
    adjusted: price,
    knownAt: new Float64Array(times.length),
  };
}

interface Said {
  readonly horizon: number;
  readonly target: string;
  readonly change: number;
  readonly direction?: 'up' | 'down' | 'neutral';
  readonly interval80?: readonly [number, number];
}

const answer = (asOf: string, said: readonly Said[], lastClose = 100): SettledAnswer => ({
  asOf: new Date(asOf).toISOString(),
  lastClose,
  horizons: said.map(({ horizon, target, change, direction = 'up', interval80 }) => ({
    ...{ horizon, targetDate: target, change, direction },
    interval80: interval80 ?? null,
  })),
});

const context = (asOf: string, change: Partial<SettleContext> = {}): SettleContext => ({
  asOf: Date.parse(asOf),
  calendar: nyse,
  timeframe: '1d',
  scaleOf: () => ({
    label: regressionLabelOrThrow('forwardLogReturn'),
    variance: 0.0004,
    costOfSide: 0.0002,
  }),
  done: new Set(),
  ...change,
});

test('the session after a holiday: settled at its close, not a moment before', () => {
  const target = nyse.addBars(Date.parse('2024-07-03'), 1, '1d');
  assert.equal(isoTime(target), '2024-07-05', 'the fourth of July is closed');
  const said = answer('2024-07-03', [{ horizon: 1, target: isoTime(target), change: 0.01 }]);
  const bars = closes({ '2024-07-03': 100, '2024-07-05': 102 });
  const early = settlePrediction(said, bars, context('2024-07-05T19:59:59Z'));
  assert.deepEqual(early, {
    outcomes: [],
    unknown: 0,
    settleAfter: Date.parse('2024-07-05T20:00:00Z'),
  });
  const { outcomes, settleAfter } = settlePrediction(said, bars, context('2024-07-05T20:00:00Z'));
  assert.equal(settleAfter, null);
  assert.equal(outcomes[0]!.actualChange.toFixed(12), (0.02).toFixed(12));
});

test('a session that closes early is over early', () => {
  const said = answer('2024-07-02', [{ horizon: 1, target: '2024-07-03', change: 0 }]);
  const bars = closes({ '2024-07-02': 100, '2024-07-03': 100 });
  const at = (time: string): number => settlePrediction(said, bars, context(time)).outcomes.length;
  assert.deepEqual([at('2024-07-03T16:59:00Z'), at('2024-07-03T17:00:00Z')], [0, 1]);
});

test('exactly the target bar: neighbours do not count', () => {
  const said = answer('2024-05-06', [{ horizon: 3, target: '2024-05-09', change: 0.01 }]);
  const all = { '2024-05-06': 100, '2024-05-08': 104, '2024-05-09': 105, '2024-05-10': 106 };
  const settled = settlePrediction(said, closes(all), context('2024-05-13T21:00:00Z'));
  assert.equal(settled.outcomes[0]!.actualClose, 105);
  const { '2024-05-09': _, ...hole } = all;
  const waiting = settlePrediction(said, closes(hole), context('2024-05-13T21:00:00Z'));
  assert.deepEqual([waiting.outcomes.length, waiting.unknown], [0, 0]);
  assert.equal(waiting.settleAfter, Date.parse('2024-05-09T20:00:00Z'), 'it is late, not lost');
});

test('24x7: an hour without a bar is waited for 30 days, then given up; other horizons go on', () => {
  const start = Date.parse('2024-03-01T00:00:00Z');
  const at = (hours: number): string => new Date(start + hours * HOUR).toISOString();
  const said = answer(at(0), [
    { horizon: 1, target: at(1), change: 0.01 },
    { horizon: 2, target: at(2), change: 0.01 },
  ]);
  const bars = closes({ [at(0)]: 100, [at(2)]: 101, [at(3)]: 102 });
  const hourly = { calendar: always, timeframe: '1h' as const };
  const soon = settlePrediction(said, bars, context(at(4), hourly));
  assert.deepEqual(
    soon.outcomes.map(({ horizon }) => horizon),
    [2],
  );
  assert.equal(soon.settleAfter, Date.parse(at(2)), 'when the missing hour had closed');
  const done = new Set([2]);
  const last = new Date(Date.parse(at(2)) + UNKNOWN_AFTER_MS).toISOString();
  const before = new Date(Date.parse(last) - 1).toISOString();
  const lateBars = (time: string) =>
    settlePrediction(said, bars, context(time, { ...hourly, done }));
  assert.deepEqual(
    [lateBars(before).unknown, lateBars(before).settleAfter],
    [0, Date.parse(at(2))],
  );
  assert.deepEqual([lateBars(last).unknown, lateBars(last).settleAfter], [1, null]);
  const still = closes({ [at(0)]: 100 });
  const source = settlePrediction(said, still, context(last, hourly));
  assert.deepEqual([source.unknown, source.outcomes.length], [0, 0], 'the source stands still');
});

test('label units of each kind, by hand', () => {
  const bars = closes({ '2024-05-06': 50, '2024-05-07': 55 });
  // The answer's own prices stand on another scale than the bars: fractions count.
  const said = answer('2024-05-06', [{ horizon: 1, target: '2024-05-07', change: 0.04 }], 1000);
  const outcomeIn = (kind: string) => {
    const scaleOf = () => ({ label: regressionLabelOrThrow(kind), variance: 0.01, costOfSide: 0 });
    const ctx = context('2024-05-08T00:00:00Z', { scaleOf });
    return settlePrediction(said, bars, ctx).outcomes[0]!;
  };
  const log = outcomeIn('forwardLogReturn');
  assert.ok(Math.abs(log.error - (Math.log(1.04) - Math.log(1.1))) < 1e-15);
  assert.ok(Math.abs(log.naiveError + Math.log(1.1)) < 1e-15);
  assert.ok(Math.abs(log.scaledLoss! - log.error ** 2 / 0.01) < 1e-15);
  for (const kind of ['forwardReturn', 'forwardPrice']) {
    const { error, naiveError } = outcomeIn(kind);
    assert.ok(Math.abs(error + 0.06) < 1e-14, kind);
    assert.ok(Math.abs(naiveError + 0.1) < 1e-14, kind);
  }
});

test('direction beyond 0.5 %, interval, and the return of the signal after both sides', () => {
  const settled = (close: number, said: Partial<Said> & { abstain?: boolean }) => {
    const bars = closes({ '2024-05-06': 200, '2024-05-07': close });
    const horizon = { horizon: 1, target: '2024-05-07', change: 0.01, ...said };
    const full = { ...answer('2024-05-06', [horizon]), abstain: said.abstain ?? false };
    return settlePrediction(full, bars, context('2024-05-08T00:00:00Z')).outcomes[0]!;
  };
  const up = settled(203, { interval80: [99, 101.5] });
  assert.deepEqual([up.actualDirection, up.directionHit, up.covered], ['up', true, true]);
  assert.ok(Math.abs(up.signalReturn - (0.015 - 0.0004)) < 1e-15);
  const edge = settled(201, { interval80: [99, 100.4] });
  assert.deepEqual(
    [edge.actualDirection, edge.directionHit, edge.covered],
    ['neutral', false, false],
  );
  const short = settled(203, { change: -0.01, direction: 'down' });
  assert.deepEqual([short.covered, short.directionHit], [null, false]);
  assert.ok(Math.abs(short.signalReturn + 0.015 + 0.0004) < 1e-15);
  assert.equal(settled(203, { change: 0.001, direction: 'neutral' }).signalReturn, 0);
  assert.equal(settled(203, { abstain: true }).signalReturn, 0, 'nobody follows it');
});

test('without a variance the loss is not known; without the base bar nothing is', () => {
  const said = answer('2024-05-06', [{ horizon: 1, target: '2024-05-07', change: 0 }]);
  const scaleOf = () => ({
    label: regressionLabelOrThrow('forwardReturn'),
    ...{ variance: undefined, costOfSide: 0 },
  });
  const bars = closes({ '2024-05-06': 100, '2024-05-07': 101 });
  const ctx = context('2024-05-08T00:00:00Z', { scaleOf });
  assert.equal(settlePrediction(said, bars, ctx).outcomes[0]!.scaledLoss, null);
  assert.equal(settlePrediction(said, closes({ '2024-05-07': 101 }), ctx).outcomes.length, 0);
});
