import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openEpisode } from '../../../../core/backtest/episode.ts';
import type { TradingRules } from '../../../../core/models/market.ts';
import { softmax } from '../../../../core/models/network/head.ts';
import {
  addEntropies,
  addScores,
  advantagesOf,
  decidedAt,
  gainOf,
  targetsOf,
} from '../../../../core/models/policy/gradient.ts';
import {
  backward,
  forward,
  parameterCount,
  type PolicyShape,
} from '../../../../core/models/policy/network.ts';
import type { Piece } from '../../../../core/models/policy/pieces.ts';
import { pieceStep } from '../../../../core/models/policy/policy.ts';
import { normalFrom, randomFor } from '../../../../core/models/random.ts';

/** A world so small that every sequence of actions can be played: five bars, something is decided at four. */
const DECISIONS = 4;
const POSITIONS = [-1, 0, 1];
const COSTS = { feeBps: 30, slippageBps: 20 };

function tinyPiece(rules: Partial<TradingRules> = {}): Piece {
  const normal = normalFrom(randomFor(5, 1));
  const close = Float64Array.from({ length: DECISIONS + 1 }, () => 100 * Math.exp(0.03 * normal()));
  const open = close.map((price) => price * Math.exp(0.01 * normal()));
  const openTime = close.map((_, t) => Date.UTC(2024, 0, 1 + t));
  const bars = { instrument: 'TINY', timeframe: '1d' as const, calendar: '24x7' };
  const all = { fill: 'nextOpen', costs: COSTS, borrowBpsPerYear: 0, allowShort: true } as const;
  return {
    x: Float64Array.from({ length: DECISIONS * 2 }, normal),
    decisions: DECISIONS,
    close,
    play: openEpisode({ ...bars, openTime, open, close }, { ...all, ...rules }),
  };
}

const shapeWith = (hidden: number): PolicyShape => ({
  ...{ inputs: 2, hidden, classes: 3, horizons: 1 },
});

function thetaOf(shape: PolicyShape): Float64Array {
  const normal = normalFrom(randomFor(7, shape.hidden));
  return Float64Array.from({ length: parameterCount(shape) }, () => 0.6 * normal());
}

interface Played {
  readonly actions: Uint8Array;
  readonly probability: number;
  readonly rewards: Float64Array;
}

/** Every sequence of actions with its probability and what it brings. */
function allSequences(piece: Piece, p: Float64Array, at: Int32Array): readonly Played[] {
  return Array.from({ length: 3 ** at.length }, (_, code) => {
    const actions = Uint8Array.from(at, (_bar, i) => Math.floor(code / 3 ** i) % 3);
    const probability = at.reduce((product, bar, i) => product * p[bar * 3 + actions[i]!]!, 1);
    const rewards = piece.play(targetsOf(DECISIONS + 1, at, actions, POSITIONS));
    return { actions, probability, rewards };
  });
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** What the policy is expected to bring, exactly. */
function expectedReward(
  shape: PolicyShape,
  theta: Float64Array,
  piece: Piece,
  at: Int32Array,
): number {
  const p = softmax(forward(shape, theta, piece.x).logits, 3);
  return allSequences(piece, p, at).reduce(
    (sum, { probability, rewards }) => sum + probability * sumOf(rewards),
    0,
  );
}

/** Derivatives of a function of the parameters by central differences. */
function differences(theta: Float64Array, of: (theta: Float64Array) => number): Float64Array {
  const step = 1e-5;
  return theta.map((_, i) => {
    const moved = (by: number): number =>
      of(theta.map((value, j) => (j === i ? value + by : value)));
    return (moved(step) - moved(-step)) / (2 * step);
  });
}

/** The gradient by the policy-gradient theorem with the sums over actions taken in full. */
function exactGradient(shape: PolicyShape, theta: Float64Array, piece: Piece, hold: number) {
  const outcome = forward(shape, theta, piece.x);
  const p = softmax(outcome.logits, 3);
  const deciding = { probabilities: p, positions: POSITIONS, hold, phase: 0 };
  const at = decidedAt(DECISIONS, deciding);
  const dLogits = new Float64Array(p.length);
  for (const { actions, probability, rewards } of allSequences(piece, p, at)) {
    const advantages = Float64Array.from(at, (bar) => gainOf(rewards, bar, hold));
    addScores(deciding, at, { actions, advantages, weight: probability }, dLogits);
  }
  return { at, gradient: backward(shape, theta, piece.x, outcome, dLogits) };
}

function assertClose(found: Float64Array, wanted: Float64Array, tolerance: number): void {
  const scale = Math.max(...wanted.map(Math.abs));
  assert.ok(scale > 1e-4, `something to find: ${scale}`);
  found.forEach((value, i) => {
    const difference = Math.abs(value - wanted[i]!) / scale;
    assert.ok(difference < tolerance, `parameter ${i}: ${value} for ${wanted[i]}`);
  });
}

describe('policy gradient in a world that can be enumerated', () => {
  for (const hidden of [0, 3]) {
    for (const hold of [1, 2]) {
      for (const fill of ['nextOpen', 'nextClose'] as const) {
        const name = `${hidden} hidden units, held ${hold}, filled at ${fill}`;
        test(`is the derivative of the expected reward: ${name}`, () => {
          const [shape, piece] = [shapeWith(hidden), tinyPiece({ fill })];
          const theta = thetaOf(shape);
          const { at, gradient } = exactGradient(shape, theta, piece, hold);
          const wanted = differences(theta, (moved) => expectedReward(shape, moved, piece, at));
          assertClose(gradient, wanted, 2e-3);
        });
      }
    }
  }

  test('without shorts, whose weight drifts inside a bar, it is exact', () => {
    const [shape, piece] = [shapeWith(3), tinyPiece({ allowShort: false })];
    const theta = thetaOf(shape);
    const { at, gradient } = exactGradient(shape, theta, piece, 1);
    const wanted = differences(theta, (moved) => expectedReward(shape, moved, piece, at));
    assertClose(gradient, wanted, 1e-6);
  });

  test('forgetting the cost of changing the position again is noticed', () => {
    const [shape, piece] = [shapeWith(0), tinyPiece()];
    const theta = thetaOf(shape);
    const outcome = forward(shape, theta, piece.x);
    const p = softmax(outcome.logits, 3);
    const deciding = { probabilities: p, positions: POSITIONS, hold: 1, phase: 0 };
    const at = decidedAt(DECISIONS, deciding);
    const dLogits = new Float64Array(p.length);
    for (const { actions, probability, rewards } of allSequences(piece, p, at)) {
      const advantages = Float64Array.from(at, (bar) => rewards[bar + 1]!);
      addScores(deciding, at, { actions, advantages, weight: probability }, dLogits);
    }
    const gradient = backward(shape, theta, piece.x, outcome, dLogits);
    const wanted = differences(theta, (moved) => expectedReward(shape, moved, piece, at));
    assert.throws(() => assertClose(gradient, wanted, 2e-2));
  });

  test('sampled with other rollouts as baseline it is right on average, and varies less', () => {
    const [shape, piece] = [shapeWith(0), tinyPiece()];
    const theta = thetaOf(shape);
    const { gradient: exact } = exactGradient(shape, theta, piece, 1);
    const setting = { shape, positions: POSITIONS, horizons: [1], deviation: 1, entropy: 0 };
    const draws = 3000;
    const sums = new Float64Array(theta.length);
    const squares = new Float64Array(theta.length);
    for (let draw = 0; draw < draws; draw++) {
      const { gradient } = pieceStep(
        { ...setting, rollouts: 4 },
        theta,
        piece,
        randomFor(11, draw),
      );
      gradient.forEach((value, i) => {
        // What is made small is minus the mean reward of a decision.
        const reward = -value * DECISIONS;
        sums[i]! += reward;
        squares[i]! += reward * reward;
      });
    }
    sums.forEach((sum, i) => {
      const mean = sum / draws;
      const error = Math.sqrt((squares[i]! / draws - mean * mean) / draws);
      assert.ok(Math.abs(mean - exact[i]!) < 4 * error, `parameter ${i}: ${mean}, ${exact[i]}`);
      assert.ok(error < 0.1 * Math.max(...exact.map(Math.abs)), `${error} would hide an error`);
    });
  });
});

describe('parts of the gradient', () => {
  test('advantages of a decision add up to 0 over the rollouts', () => {
    const gains = [
      [1, 4],
      [2, 0],
      [6, 5],
    ].map((gain) => Float64Array.from(gain));
    const [first, second, third] = advantagesOf(gains);
    assert.deepEqual([...first!], [1 - 4, 4 - 2.5]);
    assert.deepEqual([...second!], [2 - 3.5, 0 - 4.5]);
    assert.deepEqual([...third!], [6 - 1.5, 5 - 2]);
  });

  test('the gradient of the entropy is its derivative', () => {
    const logits = Float64Array.of(0.3, -1.2, 0.8, 0, 2, -1);
    const at = Int32Array.of(0, 1);
    const entropy = (z: Float64Array): number =>
      -softmax(z, 3).reduce((sum, p) => sum + p * Math.log(p), 0);
    const found = new Float64Array(6);
    addEntropies({ probabilities: softmax(logits, 3), positions: POSITIONS }, at, 1, found);
    assertClose(found, differences(logits, entropy), 1e-7);
  });

  test('an action that has become impossible leaves no NaN', () => {
    const found = new Float64Array(3);
    const probabilities = softmax(Float64Array.of(0, -2000, 0), 3);
    addEntropies({ probabilities, positions: POSITIONS }, Int32Array.of(0), 1, found);
    assert.ok(found.every(Number.isFinite), `${found}`);
  });
});
