import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  barCount,
  hashBars,
  sliceBars,
  type Bars,
  type Timeframe,
} from '../../../core/bars/index.ts';
import { barsBetween } from '../../../core/bars/build.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { assessQuality } from '../../../core/quality/index.ts';
import { simulateBars } from '../../../core/sources/simulate.ts';
import {
  simulated,
  simulatedParams,
  type SimulatedParams,
} from '../../../core/sources/simulated.ts';
import type { BarRequest } from '../../../core/sources/source.ts';
import { memoryContext } from '../../support/source-context.ts';

const END = Date.parse('2024-07-01');
const paramsOf = (params: object = {}): SimulatedParams => simulatedParams.parse(params);
const hourly = { calendar: '24x7', start: '2023-01-01', volatility: 0.6 };
const daily = (params: object = {}, instrument = 'SIM-A', to = END): Bars =>
  simulateBars(paramsOf(params), instrument, '1d', to);

const KINDS: readonly (readonly [string, Timeframe, object])[] = [
  ['daily', '1d', {}],
  ['daily with momentum', '1d', { momentum: 0.1 }],
  ['hourly', '1h', hourly],
];

for (const [name, timeframe, params] of KINDS) {
  test(`${name}: every quality rule passes, warnings included, for many instruments`, () => {
    const settings = paramsOf(params);
    for (let i = 0; i < 12; i++) {
      const bars = simulateBars(settings, `SIM-${i}`, timeframe, END);
      const report = assessQuality(bars, calendarFor(settings.calendar), {
        minScore: 1,
        strict: true,
      });
      assert.deepEqual(report.findings, [], `SIM-${i}`);
      assert.ok(report.passed);
    }
  });

  test(`${name}: prices are positive and a bar's range holds its open, close and mean price`, () => {
    const bars = simulateBars(paramsOf(params), 'SIM-A', timeframe, END);
    for (let i = 0; i < barCount(bars); i++) {
      const [open, high, low, close] = [bars.open[i]!, bars.high[i]!, bars.low[i]!, bars.close[i]!];
      assert.ok(
        low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close),
        `bar ${i}`,
      );
      const mean = bars.value[i]! / bars.volume[i]!;
      assert.ok(bars.volume[i]! >= 1 && mean >= low && mean <= high, `value of bar ${i}`);
    }
  });

  test(`${name}: a shorter history is a prefix of a longer one, bit for bit`, () => {
    const whole = simulateBars(paramsOf(params), 'SIM-A', timeframe, END);
    for (const rows of [1, 100, 1717]) {
      const part = simulateBars(paramsOf(params), 'SIM-A', timeframe, whole.openTime[rows]!);
      assert.equal(hashBars(part), hashBars(sliceBars(whole, 0, rows)), `${rows} rows`);
    }
  });
}

test('seed, instrument and timeframe each give bars of their own', () => {
  const day = { calendar: '24x7', start: '2023-01-01' };
  const closes = [
    daily(day).close[50],
    daily({ ...day, seed: 2 }).close[50],
    daily(day, 'SIM-B').close[50],
    simulateBars(paramsOf(day), 'SIM-A', '1h', END).close[50],
  ];
  assert.equal(new Set(closes).size, 4);
  assert.equal(hashBars(daily(day)), hashBars(daily(day)));
});

const returnsOf = (bars: Bars): number[] =>
  Array.from(bars.close.subarray(1), (close, i) => Math.log(close / bars.close[i]!));
const meanOf = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const correlation = (a: readonly number[], b: readonly number[]): number => {
  const [ma, mb] = [meanOf(a), meanOf(b)];
  const of = (f: (i: number) => number): number => a.reduce((sum, _, i) => sum + f(i), 0);
  return (
    of((i) => (a[i]! - ma) * (b[i]! - mb)) /
    Math.sqrt(of((i) => (a[i]! - ma) ** 2) * of((i) => (b[i]! - mb) ** 2))
  );
};
/** Correlation of a return with the mean of the five before. */
const momentumOf = (bars: Bars): number => {
  const r = returnsOf(bars);
  const past = r.map((_, i) => meanOf(r.slice(Math.max(0, i - 5), Math.max(1, i))));
  return correlation(past.slice(5), r.slice(5));
};

test('volatility clusters, tails are heavy, volume follows movement', () => {
  const bars = daily({ start: '1970-01-02' });
  const r = returnsOf(bars);
  const size = r.map(Math.abs);
  assert.ok(correlation(size.slice(20), size.slice(0, -20)) > 0.07, 'after 20 bars');
  const variance = meanOf(r.map((x) => x * x));
  assert.ok(meanOf(r.map((x) => x ** 4)) / variance ** 2 > 4, 'kurtosis');
  assert.ok(Math.abs(Math.sqrt(variance * 252) / 0.2 - 1) < 0.2, 'the volatility asked for');
  assert.ok(correlation(size, Array.from(bars.volume.subarray(1))) > 0.3);
});

test('momentum is what past returns tell; without it they tell nothing', () => {
  assert.ok(momentumOf(daily({ momentum: 0.1 })) > 0.2);
  assert.ok(momentumOf(daily({ momentum: -0.1 })) < -0.2);
  assert.ok(Math.abs(momentumOf(daily())) < 0.05);
});

const CHANGE = Date.parse('2012-01-03');
const split = (bars: Bars): readonly [Bars, Bars] => [
  barsBetween(bars, 0, CHANGE),
  barsBetween(bars, CHANGE, END),
];
const change = (what: object) => ({ momentum: 0.1, change: { at: '2012-01-03', ...what } });

test('bars before a planted change are the same bits as without it', () => {
  const plain = split(daily({ momentum: 0.1 }))[0];
  for (const what of [{ momentum: -0.1 }, { noise: 3 }, { volatility: 2 }]) {
    const [before, after] = split(daily(change(what)));
    assert.equal(hashBars(before), hashBars(plain));
    assert.notEqual(hashBars(after), hashBars(split(daily({ momentum: 0.1 }))[1]));
  }
});

test('a learnable change turns the signal round', () => {
  const [before, after] = split(daily(change({ momentum: -0.1 })));
  assert.ok(momentumOf(before) > 0.2);
  assert.ok(momentumOf(after) < -0.2);
});

test('a noise change moves wicks and volume, and leaves every close as it was', () => {
  const plain = split(daily({ momentum: 0.1 }))[1];
  const noisy = split(daily(change({ noise: 3 })))[1];
  assert.deepEqual(noisy.close, plain.close);
  assert.deepEqual(noisy.open, plain.open);
  const range = (bars: Bars): number =>
    meanOf(Array.from(bars.high, (high, i) => Math.log(high / bars.low[i]!)));
  assert.ok(range(noisy) > 1.5 * range(plain));
  const report = assessQuality(noisy, calendarFor('nyse'), { minScore: 0.9, strict: false });
  assert.ok(report.passed, JSON.stringify(report.findings));
});

async function fetched(
  request: Partial<BarRequest>,
  now = END,
  params: object = {},
): Promise<Bars[]> {
  const { create } = await simulated.load();
  const asked = { instrument: 'SIM-A', timeframe: '1d', from: 0, to: END, ...request } as const;
  const pages: Bars[] = [];
  const source = create(paramsOf(params));
  for await (const page of source.fetch(asked, undefined, memoryContext({}, { now }))) {
    pages.push(page.bars);
  }
  return pages;
}

test('any range is that slice of the whole', async () => {
  const whole = daily();
  for (const [from, to] of [
    ['2010-05-05', '2011-03-02'],
    ['2024-06-01', '2024-07-01'],
    ['1960-01-01', '2000-02-01'],
  ].map((range) => range.map(Date.parse))) {
    const [bars] = await fetched({ from: from!, to: to! });
    assert.equal(hashBars(bars!), hashBars(barsBetween(whole, from!, to!)));
  }
});

test('a bar that has not closed by the clock is not there yet', async () => {
  const noon = Date.parse('2024-05-15T12:00:00Z');
  const [bars] = await fetched({}, noon);
  assert.equal(bars!.openTime.at(-1), Date.parse('2024-05-14'));
  const [atHour] = await fetched({ timeframe: '1h' }, noon + 60_000, hourly);
  assert.equal(atHour!.openTime.at(-1), noon - 3_600_000);
});

test('the id of a real market is refused, in words', async () => {
  await assert.rejects(fetched({ instrument: '^GSPC' }), /simulated instruments are called SIM-A/);
});

test('hourly bars of a calendar with sessions are refused, in words', async () => {
  await assert.rejects(fetched({ timeframe: '1h' }), /nyse calendar has daily sessions only/);
});

test('settings that cannot be meant are refused', () => {
  for (const wrong of [
    { momentum: 0.5 },
    { volatility: 0 },
    { start: '1999-02-30' },
    { start: '1900-01-01' },
    { calendar: 'lse' },
    { change: {} },
    { change: { at: '2020-01-01', wicks: 2 } },
  ]) {
    assert.throws(() => paramsOf(wrong), JSON.stringify(wrong));
  }
});
