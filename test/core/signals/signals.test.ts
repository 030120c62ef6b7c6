import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { labelKindOrThrow } from '../../../core/labels/index.ts';
import type { HorizonAnswer } from '../../../core/predict/index.ts';
import {
  cutsSchema,
  HEURISTIC_WARMUP_BARS,
  heuristicSignal,
  recommend,
  stepOf,
} from '../../../core/signals/index.ts';
import { sp500 } from '../../support/example-bars.ts';

const answer = (parts: Partial<HorizonAnswer>): HorizonAnswer => ({
  horizon: 5,
  targetDate: '2024-01-02',
  price: 100,
  change: 0,
  direction: 'neutral',
  confidence: null,
  relativeStd: null,
  probabilityUp: null,
  interval80: null,
  ...parts,
});
const classes = (probabilities: Record<string, number>) =>
  answer({ classes: { class: 'hold', probabilities, threshold: 0.01 } });

test('three classes: p(buy) - p(sell), cut at .15 and .35', () => {
  const label = labelKindOrThrow('threeClass');
  const of = (sell: number, buy: number) =>
    recommend(label, classes({ sell, hold: 1 - sell - buy, buy }), undefined)!;
  assert.equal(of(0.1, 0.5).recommendation, 'strong_buy');
  assert.equal(of(0.25, 0.45).recommendation, 'buy');
  assert.equal(of(0.3, 0.4).recommendation, 'hold');
  assert.equal(of(0.45, 0.25).recommendation, 'sell');
  assert.equal(of(0.6, 0.1).recommendation, 'strong_sell');
  assert.ok(Math.abs(of(0.3, 0.4).score - 0.1) < 1e-15);
});

test('buy or not: against the base rate, and "sell" means less likely than usual', () => {
  const label = labelKindOrThrow('binaryForwardReturn');
  const of = (buy: number) => recommend(label, classes({ hold: 1 - buy, buy }), [0.8, 0.2])!;
  assert.deepEqual([of(0.2).score, of(0.2).recommendation], [0, 'hold']);
  // (p - .2) / .4
  assert.equal(of(0.37).recommendation, 'buy');
  assert.equal(of(0.61).recommendation, 'strong_buy');
  assert.equal(of(0.03).recommendation, 'sell');
  assert.equal(of(0.37).basis, 'againstBaseRate');
  assert.equal(recommend(label, classes({ hold: 0.5, buy: 0.5 }), [1, 0]), undefined);
});

test('a quantity: by its probability of a rise; without confidence there is none', () => {
  const label = labelKindOrThrow('forwardLogReturn');
  const of = (probabilityUp: number | null) =>
    recommend(label, answer({ probabilityUp }), undefined);
  assert.equal(of(0.58)!.recommendation, 'buy');
  assert.equal(of(0.4)!.recommendation, 'sell');
  assert.equal(of(null), undefined);
});

test('cuts of the spec are used, and a score on a cut reaches it', () => {
  const cuts = { buy: 0.2, strongBuy: 0.6 };
  assert.deepEqual(
    [0.6, 0.2, 0.19, -0.2, -0.6].map((score) => stepOf(score, cuts)),
    ['strong_buy', 'buy', 'hold', 'sell', 'strong_sell'],
  );
  const label = labelKindOrThrow('threeClass');
  const said = classes({ sell: 0.3, hold: 0.2, buy: 0.5 });
  assert.equal(recommend(label, said, undefined, cuts)!.recommendation, 'buy');
  assert.equal(cutsSchema.safeParse({ buy: 0.5, strongBuy: 0.5 }).success, false);
});

test('the heuristic: four terms within -1..1, from bars alone, the same from any later start', () => {
  const bars = sp500();
  const nyse = calendarFor('nyse');
  const all = heuristicSignal(bars, nyse)!;
  for (const term of Object.values(all.terms)) assert.ok(Math.abs(term) <= 1);
  const mean = Object.values(all.terms).reduce((a, b) => a + b, 0) / 4;
  assert.ok(Math.abs(all.score - mean) < 1e-15);
  assert.equal(all.probability, (1 + all.score) / 2);
  const later = heuristicSignal(sliceBars(bars, 3000, bars.close.length), nyse)!;
  assert.deepEqual(later, all);
  assert.equal(heuristicSignal(sliceBars(bars, 0, HEURISTIC_WARMUP_BARS), nyse), undefined);
  assert.ok(heuristicSignal(sliceBars(bars, 0, HEURISTIC_WARMUP_BARS + 1), nyse));
});

test('the heuristic speaks for a rise after a fall that ended, and says nothing of prices that stand still', () => {
  const bars = sp500();
  const flat = { ...bars, close: bars.close.map(() => 100) };
  assert.equal(heuristicSignal(flat, calendarFor('nyse')), undefined);
});
