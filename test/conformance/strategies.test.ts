import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { BAR_COLUMNS, sliceBars, type Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { ANCHOR_BARS, anchorRow, barPositions } from '../../core/indicators/index.ts';
import { lookaheadOf } from '../../core/lookahead/index.ts';
import {
  decide,
  memoryBarsOf,
  needsModel,
  strategies,
  strategyColumns,
  strategySpecSchema,
  warmupBarsOf,
  type StrategySpec,
} from '../../core/strategies/index.ts';
import { sp500, walkBars } from '../support/example-bars.ts';
import { modelColumns } from '../support/model-columns.ts';
import { seededUniform } from '../support/seeded-uniform.ts';

const ROWS = 2000;
const nyse = calendarFor('nyse');
const bars = sliceBars(sp500(), 1000, 1000 + ROWS);
const model = modelColumns(ROWS);

const cross = { kind: 'sma-cross', fast: 5, slow: 21, short: true };
/** Settings that are tried beside the defaults (instead of them, where there can be none). */
const EXAMPLES: Readonly<Record<string, readonly object[]>> = {
  'buy-and-hold': [{ position: -0.5 }],
  'sma-cross': [cross, { fast: 1, slow: 200 }],
  macd: [{ fast: 5, slow: 13, signal: 5, short: true }],
  rsi: [
    { period: 2, holdBars: 3, short: true },
    // Seldom bought and hardly ever left: held as long as may be.
    { period: 2, buyBelow: 0.5, exitAt: 99.8, sellAbove: 99.9, holdBars: 5 },
  ],
  bollinger: [
    { period: 50, sds: 1.5, holdBars: 100, short: true },
    { sds: 1, holdBars: 2 },
  ],
  'volatility-target': [{ of: cross, annualVolatility: 0.4, cap: 0.8, period: 60 }],
  regime: [{ calm: cross, turbulent: { kind: 'rsi' }, window: 100, low: 0.5, high: 0.5 }],
  hybrid: [
    { members: [{ strategy: cross, weight: 2 }, { strategy: { kind: 'model-signal' } }] },
    {
      by: 'vote',
      quorum: 0.4,
      members: ['macd', 'rsi', 'bollinger'].map((kind) => ({ strategy: { kind, short: true } })),
    },
  ],
  'model-signal': [
    { whenAbstained: 'keep', keepBars: 5, sizing: 'proportional', short: true, fallback: cross },
    { by: 'change', cuts: { buy: 0.001, strongBuy: 0.01 } },
  ],
  'advised-size': [
    { of: cross, targetVolatility: 0.3, strongScore: 0.1, confidence: 0.9, proven: true },
    { of: { kind: 'model-filter', of: cross } },
  ],
  'model-filter': [{ of: cross, least: 0.55, whenAbstained: 'pass', fallback: { kind: 'macd' } }],
};

const specsOf = (kind: string): readonly StrategySpec[] => {
  const given = [{}, ...(EXAMPLES[kind] ?? [])].map((params) => ({ ...params, kind }));
  return given.flatMap((spec, i) => {
    const parsed = strategySpecSchema.safeParse(spec);
    assert.ok(parsed.success || i === 0, `${kind}: ${parsed.error?.message}`);
    return parsed.success ? [parsed.data] : [];
  });
};

/** Positions on any stretch of `bars`, the model's answers cut to it. */
const positions = (spec: StrategySpec, of: Bars): Float64Array =>
  strategyColumns(spec, inputOf(spec))(of)['position']!;
const inputOf = (spec: StrategySpec) => ({
  bars,
  calendar: nyse,
  ...(needsModel(spec) ? { model } : {}),
});

const places = barPositions(bars.openTime, nyse, '1d');
/** Made of no indicator that begins at anchors: then its memory is all that counts. */
const isWindowed = (spec: StrategySpec): boolean => !/"(rsi|macd)"/.test(JSON.stringify(spec));

for (const { name } of strategies) {
  const specs = specsOf(name);
  const text = (spec: StrategySpec): string => JSON.stringify(spec);

  test(`${name}: settings of its own, NaN exactly while warming up, -1..1, bars untouched`, () => {
    assert.ok(specs.length > 0, `give ${name} an example`);
    for (const spec of specs) {
      assert.deepEqual(strategySpecSchema.parse(spec), spec, 'a parsed spec parses again');
      const copies = BAR_COLUMNS.map((column) => Float64Array.from(bars[column]));
      const found = positions(spec, bars);
      BAR_COLUMNS.forEach((column, i) => assert.deepEqual(bars[column], copies[i]));
      assert.equal(found.length, ROWS);
      const warmup = warmupBarsOf(spec);
      found.forEach((value, t) => {
        assert.equal(Number.isNaN(value), t < warmup, `${text(spec)} row ${t}: ${value}`);
        assert.ok(!(Math.abs(value) > 1) && !Object.is(value, -0), `${text(spec)} ${value}`);
      });
    }
  });

  test(`${name}: later bars change nothing (prefix property)`, () => {
    const uniform = seededUniform(3);
    const cuts = [1, 2, 50, 256, ...Array.from({ length: 12 }, () => 2 + uniform() * (ROWS - 2))];
    for (const spec of specs) {
      const columns = strategyColumns(spec, inputOf(spec));
      const found = lookaheadOf(columns, bars, [...new Set(cuts.map(Math.floor))]);
      assert.deepEqual(found, [], text(spec));
    }
  });

  test(`${name}: the same bits from any history that reaches back to its memory`, () => {
    const uniform = seededUniform(4);
    for (const spec of specs) {
      const whole = positions(spec, bars);
      const memory = memoryBarsOf(spec);
      for (let k = 0; k < 60; k++) {
        const start = 1 + Math.floor(uniform() * (ROWS - memory - ANCHOR_BARS - 200));
        const part = positions(spec, sliceBars(bars, start));
        for (let t = start + memory; t < ROWS; t++) {
          const anchored = anchorRow(places, t, memoryBarsOf(spec)) >= start;
          if (!anchored && !isWindowed(spec)) continue;
          if (!Object.is(part[t - start], whole[t])) assert.fail(`${text(spec)} row ${t}`);
        }
      }
    }
  });

  test(`${name}: every part of a decision is named, and stands in only for a model`, () => {
    for (const spec of specs) {
      const { parts, decidedBy } = decide(spec, inputOf(spec));
      for (const by of decidedBy) assert.ok(by < parts.length);
      for (const part of parts) {
        assert.ok(part.name.startsWith(name), part.name);
        assert.ok(!part.fallback || needsModel(spec) || name === 'hybrid', part.name);
      }
    }
  });
}

test('a strategy that knows the next close is caught, by the same question', () => {
  const cheat = (of: Bars) => ({
    cheat: of.close.map((c, t) => Math.sign((of.close[t + 1] ?? c) - c)),
  });
  const found = lookaheadOf(cheat, bars, [100, 777]);
  assert.deepEqual(
    found.map(({ column, rows }) => [column, rows]),
    [['cheat', [99, 776]]],
  );
});

test('every file of the folder that defines a strategy stands in the catalogue', async () => {
  const folder = new URL('../../core/strategies/', import.meta.url);
  const names = new Set(strategies.map(({ name }) => name));
  let found = 0;
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.ts')) continue;
    const exported: Record<string, unknown> = await import(new URL(file, folder).href);
    for (const value of Object.values(exported)) {
      const made = typeof value === 'function' && /defineStrategy/.test(String(value));
      const entry: unknown = made
        ? (value as (nested: unknown) => unknown)(strategySpecSchema)
        : value;
      if (typeof entry !== 'object' || entry === null) continue;
      if (!('warmupBars' in entry && 'name' in entry)) continue;
      found++;
      const name = String(entry.name);
      assert.ok(names.has(name), `add ${name} of ${file} to core/strategies/catalogue.ts`);
    }
  }
  assert.equal(found, names.size);
});

test('bars with holes and of a market that never closes', () => {
  const uniform = seededUniform(5);
  const times: number[] = [];
  for (let hour = 0; times.length < 1500; hour++) {
    if (uniform() > 0.02) times.push(Date.UTC(2024, 0, 1) + hour * 3_600_000);
  }
  const walk = walkBars(Float64Array.from(times), 3, '1h');
  const always = calendarFor('24x7');
  const answers = modelColumns(times.length, 9);
  for (const { name } of strategies) {
    for (const spec of specsOf(name)) {
      const columns = strategyColumns(spec, { bars: walk, calendar: always, model: answers });
      assert.deepEqual(lookaheadOf(columns, walk, [333, 1200]), [], name);
    }
  }
});
