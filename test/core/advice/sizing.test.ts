import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  MARKET_WARMUP_BARS,
  marketFacts,
  ruleAdvice,
  ruleSettingsSchema,
} from '../../../core/advice/index.ts';
import {
  backtestRules,
  compareHistory,
  compareSizes,
  evaluateFigures,
  sized,
  sizesFromHistory,
} from '../../../core/backtest/index.ts';
import { barCount, sliceBars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { RatchetError } from '../../../core/errors.ts';
import { decide, strategySpecSchema } from '../../../core/strategies/index.ts';
import { seeded, walkBars } from '../../support/made-bars.ts';

const calendar = calendarFor('nyse');
const settings = ruleSettingsSchema.parse({});
const bars = walkBars(300, { seed: 7 });
const random = seeded(3);
const column = (of: () => number): Float64Array => bars.close.map(of);
const score = column(() => (random() < 0.1 ? NaN : random() - 0.5));
const abstained = Uint8Array.from(bars.close, () => (random() < 0.1 ? 1 : 0));

/** What the rule says at the close of each bar, of the bars up to it and a confidence of 80 %. */
const ruleSizes = (of: Float64Array): Float64Array =>
  of.map((value, t) => {
    const facts = marketFacts(sliceBars(bars, 0, t + 1), calendar);
    const signal = { score: value, strongScore: 0.35, confidence: 0.8, beatsNaive: true };
    return ruleAdvice(
      {
        signal: { ...signal, abstain: abstained[t] === 1 },
        market: { volatility: facts?.volatility ?? NaN, emergencyScore: null },
        account: { drawdown: 0 },
      },
      settings,
    ).size;
  });

const fails = (work: () => unknown, code: string): void =>
  assert.throws(work, (error) => error instanceof RatchetError && error.code === code);

describe('the state of a market', () => {
  it('is its volatility a year, its drawdown and its change over 20 bars', () => {
    const found = marketFacts(bars, calendar)!;
    const closes = [...bars.close.slice(-21)];
    const returns = closes.slice(1).map((close, i) => Math.log(close / closes[i]!));
    const mean = returns.reduce((a, b) => a + b, 0) / 20;
    const variance = returns.reduce((sum, r) => sum + (r - mean) ** 2, 0) / 19;
    const close = closes.at(-1)!;
    assert.ok(Math.abs(found.volatility - Math.sqrt(variance * 252)) < 1e-9);
    assert.ok(Math.abs(found.change - (close / closes[0]! - 1)) < 1e-12);
    const high = Math.max(...closes.slice(1));
    assert.ok(Math.abs(found.drawdown - (1 - close / high)) < 1e-12);
    assert.ok(found.emergencyScore! >= 0 && found.emergencyScore! < 0.8);
  });

  it('knows an emergency by what the model says, and cannot be told of few bars', () => {
    assert.equal(marketFacts(bars, calendar, -0.8)?.emergencyScore, 1);
    assert.equal(marketFacts(sliceBars(bars, 0, MARKET_WARMUP_BARS), calendar), undefined);
    const few = marketFacts(sliceBars(bars, 0, MARKET_WARMUP_BARS + 1), calendar);
    assert.equal(few?.emergencyScore, null);
  });
});

describe('sizes from history', () => {
  const closed = (t: number): number => calendar.closeTime(bars.openTime[t]!, '1d');
  const otherwise = new Float64Array(barCount(bars)).fill(0.5);
  const asked = (t: number, size: number, givenAt = closed(t) + 5_000) => ({
    asOf: bars.openTime[t]!,
    givenAt,
    size,
  });

  it('are what was advised in time, the last word of a bar, else the other sizes', () => {
    const history = [
      asked(40, 0.3, closed(40) + 9_000),
      asked(40, 0.2),
      asked(41, 0.9),
      { asOf: bars.openTime[50]! + 1, givenAt: closed(50), size: 0.1 },
    ];
    const { sizes, given, late } = sizesFromHistory(bars, calendar, history, otherwise);
    assert.deepEqual([sizes[40], sizes[41], sizes[50], late], [0.3, 0.9, 0.5, 0]);
    assert.deepEqual(
      [...given.keys()].filter((t) => given[t] !== undefined),
      [40, 41],
    );
    assert.equal(otherwise[40], 0.5, 'given columns stay as they are');
  });

  it('leave out what was asked of the past later on: its author may know what came', () => {
    const history = [asked(40, 0.3, closed(41)), asked(42, 0.3, Date.UTC(2026, 0, 1))];
    const { sizes, late } = sizesFromHistory(bars, calendar, history, otherwise);
    assert.deepEqual([sizes, late], [otherwise, 2]);
  });
});

describe('fixed against advised', () => {
  const spec = strategySpecSchema.parse({ kind: 'sma-cross', fast: 5, slow: 20, short: true });
  const { positions } = decide(spec, { bars, calendar });
  const rules = backtestRules({ allowShort: true });

  it('multiplies positions, keeps sides and what has no opinion', () => {
    const sizes = ruleSizes(positions);
    const targets = sized(positions, sizes);
    targets.forEach((target, t) => {
      if (Number.isNaN(positions[t]!)) assert.ok(Number.isNaN(target));
      else assert.equal(target, positions[t]! * sizes[t]!);
    });
    fails(() => sized(positions, new Float64Array(2)), 'advice.lengths');
    for (const size of [0, 0.04, 1.01, NaN]) {
      fails(() => sized(positions, new Float64Array(barCount(bars)).fill(size)), 'advice.size');
    }
  });

  it('runs the same positions three times by the engine; equal sizes give equal figures', () => {
    const sizes = ruleSizes(positions);
    const series = { bars, calendar, positions, sizes };
    const options = { resamples: 0 };
    const { fixed, sameMean, advised, meanSize } = compareSizes([series], rules, options);
    const run = (targets: Float64Array) =>
      evaluateFigures([{ bars, calendar, targets }], rules, options);
    assert.deepEqual(fixed, run(positions));
    assert.deepEqual(advised, run(sized(positions, sizes)));
    assert.ok(meanSize > 0.05 && meanSize < 1);
    assert.ok(advised.metrics['volatility']! < fixed.metrics['volatility']!);
    assert.notDeepEqual(advised.metrics, sameMean.metrics);
    const flat = compareSizes([{ ...series, sizes: sizes.map(() => 0.4) }], rules, {
      ...options,
      fixedSize: 0.4,
    });
    assert.deepEqual(flat.fixed.metrics, flat.advised.metrics);
    assert.deepEqual(flat.fixed.finalEquity, flat.advised.finalEquity);
  });
});

describe('the strategy of advised sizes', () => {
  it('is the strategy times the sizes by the rule, the least where the model said nothing', () => {
    const failed = Uint8Array.from(bars.close, (_, t) => (t % 17 === 0 ? 1 : 0));
    const nothing = column(() => NaN);
    const model = {
      ...{ score, probabilityUp: nothing, change: nothing },
      ...{ abstained, failed },
    };
    const of = { kind: 'sma-cross', fast: 5, slow: 30, short: true };
    const spec = { kind: 'advised-size', of, confidence: 0.8, proven: true };
    const found = decide(strategySpecSchema.parse(spec), { bars, calendar, model });
    const fixed = decide(strategySpecSchema.parse(of), { bars, calendar });
    const sizes = ruleSizes(score.map((value, t) => (failed[t] === 1 ? NaN : value)));
    assert.ok(new Set(sizes).size > 20, 'they differ');
    assert.deepEqual(found.positions, sized(fixed.positions, sizes));
    const at = bars.close.findIndex((_, t) => t > 40 && failed[t] === 1);
    assert.equal(found.positions[at], fixed.positions[at]! * 0.05);
  });
});

describe('what was really advised', () => {
  const rules = backtestRules({ allowShort: true });
  const asked = (t: number, score: number, size: number, lateMs = 5_000) => {
    const asOf = bars.openTime[t]!;
    return { asOf, givenAt: calendar.closeTime(asOf, '1d') + lateMs, score, size };
  };

  it('is compared on its own bars: the side of each signal, held until the next', () => {
    const history = [asked(100, 0.2, 0.5), asked(120, -0.1, 0.25), asked(140, 0.3, 1, 9e8)];
    const found = compareHistory(bars, calendar, history, rules);
    assert.deepEqual([found.given, found.late, found.meanSize], [2, 1, 0.375]);
    const cut = sliceBars(bars, 100);
    const targets = cut.close.map(() => NaN);
    targets[0] = 0.5;
    targets[20] = -0.25;
    const advised = evaluateFigures([{ bars: cut, calendar, targets }], rules);
    assert.deepEqual(found.advised, advised);
    assert.equal(found.advised.trades.length, 2);
    assert.ok(found.fixed.metrics['exposure']! > found.advised.metrics['exposure']!);
  });

  it('counts no size of a side that may not be held', () => {
    const history = [asked(100, 0.2, 0.5), asked(120, -0.1, 0.25)];
    const { meanSize, advised } = compareHistory(bars, calendar, history, backtestRules({}));
    assert.deepEqual([meanSize, advised.trades.length], [0.5, 1]);
  });

  it('is not compared where there is next to nothing', () => {
    const late = [asked(100, 0.2, 0.5), asked(120, 0.2, 0.5, 9e8)];
    for (const history of [[], late]) {
      fails(() => compareHistory(bars, calendar, history, rules), 'advice.too-few-given');
    }
  });
});
