import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classLabelOrThrow } from '../../../core/labels/index.ts';
import {
  decisionLosses,
  forecastsOf,
  outcomeOf,
  type Closes,
  type HorizonForecast,
  type OutcomeScale,
} from '../../../core/outcomes/index.ts';

const HOUR = 3_600_000;
const closesOf = (close: readonly number[]): Closes => ({
  openTime: Float64Array.from(close, (_, i) => i * HOUR),
  raw: Float64Array.from(close),
  adjusted: Float64Array.from(close),
  knownAt: Float64Array.from(close, (_, i) => (i + 1) * HOUR),
});

const scale = (kind: string): OutcomeScale => ({
  label: classLabelOrThrow(kind),
  priors: [0.25, 0.5, 0.25],
  variance: undefined,
  costOfSide: 0.0007,
});

/** As jsonb, of earlier releases, gives an answer back: its keys in another order than the label's classes. */
const said = (threshold: number | null): HorizonForecast => {
  const [forecast] = forecastsOf({
    asOf: new Date(0).toISOString(),
    lastClose: 100,
    horizons: [
      {
        horizon: 3,
        targetDate: new Date(3 * HOUR).toISOString(),
        change: 0.004,
        direction: 'up',
        interval80: null,
        classes: { class: 'buy', probabilities: { buy: 0.6, hold: 0.3, sell: 0.1 }, threshold },
      },
    ],
  });
  return forecast!;
};

test('a class that came is judged by the threshold that stood in the answer', () => {
  const closes = closesOf([100, 100.4, 101, 102]);
  const outcome = outcomeOf(said(0.01), closes, scale('threeClass'))!;
  assert.deepEqual(
    [outcome.actualClass, outcome.actualDirection, outcome.directionHit],
    [2, 'up', true],
  );
  assert.ok(Math.abs(outcome.scaledLoss! + Math.log(0.6)) < 1e-15);
  assert.ok(Math.abs(outcome.referenceLoss! + Math.log(0.25)) < 1e-15);
  assert.ok(Math.abs(outcome.error - (0.004 - 0.02)) < 1e-15);
  assert.ok(Math.abs(outcome.signalReturn - (0.02 - 0.0014)) < 1e-15);
  const held = outcomeOf(said(0.03), closes, scale('threeClass'))!;
  assert.deepEqual(
    [held.actualClass, held.actualDirection, held.directionHit],
    [1, 'neutral', false],
  );
});

test('of a barrier label the closes on the way decide', () => {
  const outcome = outcomeOf(said(0.01), closesOf([100, 98.5, 103, 104]), scale('tripleBarrier'))!;
  assert.deepEqual([outcome.actualClass, outcome.directionHit], [0, false]);
  assert.ok(Math.abs(outcome.scaledLoss! + Math.log(0.1)) < 1e-15);
});

test('without a threshold no class can be told, and the move is judged all the same', () => {
  const outcome = outcomeOf(said(null), closesOf([100, 101, 101, 102]), scale('threeClass'))!;
  assert.deepEqual(
    [outcome.actualClass, outcome.scaledLoss, outcome.referenceLoss],
    [null, null, null],
  );
  assert.ok(Math.abs(outcome.actualChange - 0.02) < 1e-15);
});

test('losses of decisions are log losses beside those of the class shares', () => {
  const measure = {
    labelKind: 'threeClass',
    horizons: [1, 4],
    variance: [1, 1],
    weights: [0.75, 0.25],
  };
  const row = { instrument: 'KRW-BTC', asOf: 5, forecastChange: 0, actualChange: 0 };
  const found = decisionLosses(
    [
      { ...row, horizon: 1, loss: 0.4, referenceLoss: 0.7 },
      { ...row, horizon: 4, loss: 0.8, referenceLoss: 0.9 },
      { ...row, asOf: 6, horizon: 1, loss: 0.4, referenceLoss: 0.7 },
      { ...row, asOf: 6, horizon: 4, loss: null, referenceLoss: null },
    ],
    measure,
  );
  assert.deepEqual([...found.keys()], ['5/KRW-BTC']);
  const [only] = found.values();
  assert.ok(Math.abs(only!.loss - 0.5) < 1e-15);
  assert.ok(Math.abs(only!.naive - 0.75) < 1e-15);
});
