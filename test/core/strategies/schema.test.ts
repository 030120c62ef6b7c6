import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  needsModel,
  strategies,
  STRATEGY_DEPTH_MAX,
  strategyOrThrow,
  strategySpecSchema,
  warmupBarsOf,
} from '../../../core/strategies/index.ts';

const messages = (spec: unknown): string[] =>
  strategySpecSchema.safeParse(spec).error?.issues.map(({ message }) => message) ?? [];
/** Targets of volatility around targets of volatility. */
const deep = (levels: number): object =>
  levels === 1 ? { kind: 'rsi' } : { kind: 'volatility-target', of: deep(levels - 1) };

test('defaults are filled in, of what stands inside too', () => {
  assert.deepEqual(strategySpecSchema.parse({ kind: 'volatility-target', of: { kind: 'rsi' } }), {
    kind: 'volatility-target',
    of: {
      kind: 'rsi',
      period: 14,
      buyBelow: 30,
      sellAbove: 70,
      exitAt: 50,
      holdBars: 30,
      short: false,
    },
    annualVolatility: 0.15,
    period: 20,
    cap: 1,
  });
});

test('defaults that are strategies are whole specs themselves', () => {
  for (const { name } of strategies) {
    const parsed = strategySpecSchema.safeParse({ kind: name });
    if (!parsed.success) continue;
    assert.deepEqual(strategySpecSchema.parse(parsed.data), parsed.data, name);
  }
});

test('strategies stand so deep in one another and no deeper', () => {
  assert.deepEqual(messages(deep(STRATEGY_DEPTH_MAX)), []);
  const [message] = messages(deep(STRATEGY_DEPTH_MAX + 1));
  assert.equal(message, 'strategies stand at most 4 deep in one another');
  assert.deepEqual(messages(deep(5000)), [message], 'refused before it is walked');
});

test('strategies in a tree are counted', () => {
  const eight = (strategy: object) => ({
    kind: 'hybrid',
    members: Array.from({ length: 8 }, () => ({ strategy })),
  });
  assert.deepEqual(messages(eight({ kind: 'volatility-target', of: { kind: 'rsi' } })), []);
  assert.match(messages(eight(eight({ kind: 'rsi' })))[0]!, /^73 strategies; at most 32/);
});

test('a fallback asks no model, nor does anything in it', () => {
  const fallback = { kind: 'volatility-target', of: { kind: 'model-filter' } };
  const spec = { kind: 'hybrid', members: [{ strategy: { kind: 'model-signal', fallback } }] };
  assert.match(messages(spec)[0]!, /^members\[0\]\.fallback asks a model itself/);
  assert.deepEqual(messages({ kind: 'model-signal', fallback: { kind: 'regime' } }), []);
});

test('unknown kinds, settings and senseless ones are refused', () => {
  for (const spec of [
    null,
    {},
    { kind: 'sma-crosss' },
    { kind: 'sma-cross', fats: 3 },
    { kind: 'sma-cross', fast: 50, slow: 50 },
    { kind: 'macd', fast: 26, slow: 12 },
    { kind: 'rsi', buyBelow: 60 },
    { kind: 'buy-and-hold', position: 1.5 },
    { kind: 'volatility-target', cap: 2 },
    { kind: 'regime', low: 0.8, high: 0.2 },
    { kind: 'hybrid', members: [] },
    { kind: 'hybrid', members: [{ strategy: { kind: 'rsi' }, weight: 0 }] },
    { kind: 'model-signal', cuts: { buy: 0.5, strongBuy: 0.1 } },
  ]) {
    assert.equal(strategySpecSchema.safeParse(spec).success, false, JSON.stringify(spec));
  }
  assert.throws(() => strategyOrThrow('sma'), { code: 'strategies.unknown' });
});

test('rsi: thresholds out of order are told with their values, the upper one only where it sells short', () => {
  const one = { kind: 'rsi', period: 2, buyBelow: 10, exitAt: 70 };
  assert.deepEqual(messages(one), []);
  assert.deepEqual(messages({ ...one, exitAt: 80 }), []);
  assert.match(
    messages({ ...one, short: true })[0]!,
    /exitAt must lie below sellAbove to sell short; they are 70 and 70$/,
  );
  assert.match(
    messages({ kind: 'rsi', buyBelow: 60 })[0]!,
    /buyBelow must lie below exitAt; they are 60 and 50$/,
  );
});

test('the longest warm-up of a tree counts, and whether a model is asked anywhere', () => {
  const of = (spec: object) => strategySpecSchema.parse(spec);
  assert.equal(warmupBarsOf(of({ kind: 'model-signal' })), 0);
  const fallback = { kind: 'sma-cross', fast: 5, slow: 90 };
  assert.equal(warmupBarsOf(of({ kind: 'model-signal', fallback })), 89);
  assert.equal(warmupBarsOf(of({ kind: 'regime', calm: fallback })), 270);
  assert.equal(needsModel(of({ kind: 'regime', calm: fallback })), false);
  assert.equal(needsModel(of({ kind: 'regime', calm: { kind: 'model-filter' } })), true);
});
