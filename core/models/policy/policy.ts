/** A policy in a piece of market: what it is worth there, and which way it gets better. */
import { softmax } from '../network/head.ts';
import type { Random } from '../random.ts';
import { logitGradient, sampleRollouts } from './gradient.ts';
import { backward, forward, outputsOf, type PolicyShape, type Theta } from './network.ts';
import type { Piece } from './pieces.ts';

export interface PolicySetting {
  readonly shape: PolicyShape;
  /** Position that each action takes. */
  readonly positions: readonly number[];
  /** Bars that a decision of each output is held. */
  readonly horizons: readonly number[];
  /** SD of the log change of a bar: rewards are counted in it. */
  readonly deviation: number;
  readonly rollouts: number;
  readonly entropy: number;
}

/** Probabilities of one horizon, row-major [rows x classes]. */
function probabilitiesOf(logits: Float64Array, shape: PolicyShape, horizon: number): Float64Array {
  const { classes } = shape;
  const outputs = outputsOf(shape);
  const rows = logits.length / outputs;
  const own = new Float64Array(rows * classes);
  for (let row = 0; row < rows; row++) {
    const from = row * outputs + horizon * classes;
    own.set(logits.subarray(from, from + classes), row * classes);
  }
  return softmax(own, classes);
}

export interface PieceStep {
  /** Of the mean over horizons of -(reward + entropy bonus), by the parameters. */
  readonly gradient: Theta;
  /** By horizon: log change of equity of the piece, mean over rollouts. */
  readonly growth: readonly number[];
}

/** A sampled gradient of what is to be made small, on one piece. */
export function pieceStep(
  { shape, positions, horizons, deviation, rollouts, entropy }: PolicySetting,
  theta: Theta,
  piece: Piece,
  random: Random,
): PieceStep {
  const outcome = forward(shape, theta, piece.x);
  const outputs = outputsOf(shape);
  const dLogits = new Float64Array(outcome.logits.length);
  const growth: number[] = [];
  for (const [k, hold] of horizons.entries()) {
    const phase = Math.floor(random() * Math.min(hold, piece.decisions));
    const probabilities = probabilitiesOf(outcome.logits, shape, k);
    const deciding = { probabilities, positions, hold, phase };
    const sampled = sampleRollouts(piece, deciding, rollouts, random);
    const unit = deviation * Math.sqrt(hold);
    const own = logitGradient(deciding, sampled, { deviation: unit, entropy });
    own.forEach((value, at) => {
      const row = Math.floor(at / shape.classes) * outputs;
      dLogits[row + k * shape.classes + (at % shape.classes)] = -value / horizons.length;
    });
    growth.push(sampled.growth);
  }
  return { gradient: backward(shape, theta, piece.x, outcome, dLogits), growth };
}

/**
 * What the mean positions of a policy (sum of probability x position) bring in these pieces, by horizon: log change of
 * equity a bar over `deviation`, the mean over all phases of the decisions.
 */
export function rewardOf(
  { shape, positions, horizons, deviation }: PolicySetting,
  theta: Theta,
  pieces: readonly Piece[],
): readonly number[] {
  const sums = horizons.map(() => 0);
  let bars = 0;
  for (const { x, decisions, play } of pieces) {
    const { logits } = forward(shape, theta, x);
    bars += decisions;
    for (const [k, hold] of horizons.entries()) {
      const mean = meanPositions(probabilitiesOf(logits, shape, k), positions);
      for (let phase = 0; phase < hold; phase++) {
        const targets = new Float64Array(decisions + 1).fill(NaN);
        for (let bar = phase; bar < decisions; bar += hold) targets[bar] = mean[bar]!;
        sums[k]! += play(targets).reduce((sum, reward) => sum + reward, 0) / hold;
      }
    }
  }
  return sums.map((sum) => sum / (bars * deviation));
}

/** Sum of probability x position by row of row-major probabilities. */
export function meanPositions(p: Float64Array, positions: readonly number[]): Float64Array {
  const classes = positions.length;
  return Float64Array.from({ length: p.length / classes }, (_, row) =>
    positions.reduce((sum, position, c) => sum + position * p[row * classes + c]!, 0),
  );
}
