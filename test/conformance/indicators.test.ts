import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BAR_COLUMNS, type Bars, sliceBars } from '../../core/bars/bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { readdirSync } from 'node:fs';
import {
  ANCHOR_BARS,
  anchorRow,
  type Indicator,
  indicatorInput,
  indicators,
  type IndicatorUse,
  lagOf,
  overClose,
  rolling,
  ROLLING_STATISTICS,
  use,
} from '../../core/indicators/index.ts';
import { ema } from '../../core/indicators/moving-average.ts';
import { logReturn } from '../../core/indicators/returns.ts';
import { nasdaq, walkBars } from '../support/example-bars.ts';
import { seededUniform } from '../support/seeded-uniform.ts';

/** Rows after a start at which both histories are compared at least. */
const COMPARED_ROWS = 400;
const STARTS = 20;

const nyse = calendarFor('nyse');
const rows = 2000;
/** A series that comes once in 20 bars beside the bars. */
const withMacro = (of: Bars): Bars => ({
  ...of,
  exogenous: { 'macro.close': of.close.map((c, t) => (t % 20 === 3 ? c : NaN)) },
});
const bars = withMacro(sliceBars(nasdaq(), 0, rows));

const usesOf = (indicator: Indicator): IndicatorUse[] =>
  [...(hasDefaults(indicator) ? [{}] : []), ...indicator.examples].map((params) =>
    use(indicator, params),
  );

/** Does it need no parameter? */
const hasDefaults = ({ params }: Indicator): boolean => params.safeParse({}).success;

const compute = (bound: IndicatorUse, of: Bars, calendar = nyse): Float64Array =>
  bound.compute(indicatorInput(of, calendar));

const bitsDiffer = (a: number, b: number): boolean => !Object.is(a, b);

const ema100 = use(ema, { period: 100 });
const returns = use(logReturn, {});

/** What is made of other indicators keeps their promises: lags, windows and other units. */
const derived = [
  overClose(ema100),
  lagOf(ema100, 30),
  ...ROLLING_STATISTICS.flatMap((statistic) => [
    rolling(returns, statistic, 20),
    rolling(overClose(ema100), statistic, 7),
  ]),
  lagOf(rolling(returns, 'zScore', 250), 100),
];

const subjects: readonly (readonly [name: string, uses: readonly IndicatorUse[]])[] = [
  ...[...indicators.values()].map((one) => [one.name, usesOf(one)] as const),
  ['derived', derived],
];

for (const [name, uses] of subjects) {
  test(`${name}: same length, NaN exactly in the declared warm-up, bars untouched`, () => {
    for (const bound of uses) {
      const copies = BAR_COLUMNS.map((name) => Float64Array.from(bars[name]));
      const values = compute(bound, bars);
      assert.equal(values.length, rows, bound.key);
      for (let t = 0; t < rows; t++) {
        assert.equal(Number.isNaN(values[t]), t < bound.warmupBars, `${bound.key} row ${t}`);
      }
      BAR_COLUMNS.forEach((name, i) => assert.deepEqual(bars[name], copies[i], bound.key));
      assert.ok(bound.memoryBars >= bound.warmupBars || bound.recursive, bound.key);
    }
  });

  test(`${name}: later bars change nothing (prefix property)`, () => {
    for (const bound of uses) {
      const whole = compute(bound, bars);
      for (const end of [1, 2, 30, 255, 256, 257, 700, 1111]) {
        const prefix = compute(bound, sliceBars(bars, 0, end));
        const wrong = prefix.findIndex((value, t) => bitsDiffer(value, whole[t]!));
        assert.equal(wrong, -1, `${bound.key} cut at ${end}`);
      }
    }
  });

  test(`${name}: the same bits from any start at or before the anchor`, () => {
    const uniform = seededUniform(11);
    for (const bound of uses) {
      const input = indicatorInput(bars, nyse);
      const whole = bound.compute(input);
      for (let k = 0; k < STARTS; k++) {
        const start =
          1 + Math.floor(uniform() * (rows - COMPARED_ROWS - bound.memoryBars - ANCHOR_BARS));
        const cut = compute(bound, sliceBars(bars, start, rows));
        let compared = 0;
        for (let t = start; t < rows; t++) {
          const reaches = bound.recursive
            ? anchorRow(input.positions, t, bound.memoryBars)
            : t - bound.memoryBars;
          if (reaches < start) continue;
          compared++;
          if (bitsDiffer(cut[t - start]!, whole[t]!)) {
            assert.fail(`${bound.key} row ${t} from ${start}: ${cut[t - start]} and ${whole[t]}`);
          }
        }
        assert.ok(compared >= COMPARED_ROWS, `${bound.key} from ${start}: ${compared} rows`);
      }
    }
  });
}

test('bars with holes: the same bits from any start at or before the anchor, all indicators', () => {
  const calendar = calendarFor('24x7');
  const uniform = seededUniform(5);
  const times: number[] = [];
  for (let hour = 0; times.length < 1400; hour++) {
    // Single missing hours and, now and then, half a day.
    if (uniform() < 0.005) hour += 12;
    if (uniform() > 0.02) times.push(Date.UTC(2024, 0, 1) + hour * 3_600_000);
  }
  const walk = withMacro(walkBars(Float64Array.from(times), 3, '1h'));
  for (const [, uses] of subjects) {
    for (const bound of uses) {
      const input = indicatorInput(walk, calendar);
      const whole = bound.compute(input);
      for (const start of [1, 100, 333, 700]) {
        const cut = compute(bound, sliceBars(walk, start), calendar);
        for (let t = start; t < walk.openTime.length; t++) {
          const reaches = bound.recursive
            ? anchorRow(input.positions, t, bound.memoryBars)
            : t - bound.memoryBars;
          if (reaches < start) continue;
          if (bitsDiffer(cut[t - start]!, whole[t]!)) {
            assert.fail(`${bound.key} row ${t} from ${start}`);
          }
        }
      }
    }
  }
});

test('memory: what is older than the declared memory moves no value by more than 1e-5 SD', () => {
  const wrong: string[] = [];
  for (const [, uses] of subjects) {
    for (const bound of uses) {
      if (!bound.recursive) continue;
      // Without anchors: the start alone decides, and a start exactly `memory` bars back is the worst.
      const flat = { ...nyse, indexOf: (time: number) => Math.floor(time / 1e13) };
      const whole = compute(bound, bars, flat);
      const tail = whole.subarray(bound.warmupBars);
      const mean = tail.reduce((sum, v) => sum + v, 0) / tail.length;
      const sd = Math.sqrt(tail.reduce((sum, v) => sum + (v - mean) ** 2, 0) / tail.length);
      for (let t = bound.memoryBars + 37; t < rows; t += 41) {
        const cut = compute(bound, sliceBars(bars, t - bound.memoryBars, t + 1), flat);
        const residual = Math.abs(cut.at(-1)! - whole[t]!) / sd;
        if (!(residual <= 1e-5)) wrong.push(`${bound.key} row ${t}: ${residual}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('the catalogue has every indicator that the folder exports', async () => {
  const folder = new URL('../../core/indicators/', import.meta.url);
  const listed = new Set(indicators.values());
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.ts')) continue;
    const exported: object = await import(new URL(file, folder).href);
    for (const [name, value] of Object.entries(exported)) {
      const isIndicator = typeof value === 'object' && value !== null && 'warmupBars' in value;
      if (!isIndicator) continue;
      assert.ok(
        listed.has(value as Indicator),
        `add to core/indicators/index.ts: ${name} of ${file}`,
      );
    }
  }
});

test('parameters that an indicator does not take are refused', () => {
  const rsi = indicators.get('rsi')!;
  assert.throws(() => use(rsi, { period: 1 }), { name: 'ZodError' });
  assert.throws(() => use(rsi, { perod: 14 }), { name: 'ZodError' });
  assert.throws(() => use(indicators.get('macd')!, { fast: 26, slow: 12 }), { name: 'ZodError' });
});

test('bars out of order are refused', () => {
  const openTime = Float64Array.of(86_400_000 * 3, 86_400_000 * 2);
  assert.throws(() => indicatorInput(walkBars(openTime, 1), nyse), { code: 'indicators.order' });
});
