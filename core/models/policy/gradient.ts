/**
 * The gradient of expected reward by REINFORCE (Williams, 1992).
 *
 * Formula: of a decision i, sum over rollouts m of (G_i^m - b_i^m) d ln pi(a_i^m) over their number; G is the reward that
 * the decision can still change, b the mean G of the other rollouts of the same bars (leave-one-out; Kool, van Hoof and
 * Welling, 2019), which no action of rollout m enters, so that nothing is biased and what the market did to all of them
 * cancels. An entropy bonus keeps actions from becoming certain too early (Williams and Peng, 1991).
 */
import type { Random } from '../random.ts';
import type { Piece } from './pieces.ts';

/** What is decided of one horizon in one piece: every `hold` bars from `phase` on. */
export interface Deciding {
  /** Row-major [decisions x classes]: probability of each action. */
  readonly probabilities: Float64Array;
  /** Position that each action takes. */
  readonly positions: readonly number[];
  /** Bars between two decisions: the label's horizon. */
  readonly hold: number;
  readonly phase: number;
}

export interface Rollouts {
  /** Bars at which something was decided. */
  readonly at: Int32Array;
  /** By rollout: the action of each decision, and the reward it could still change (log change of equity). */
  readonly actions: readonly Uint8Array[];
  readonly gains: readonly Float64Array[];
  /** Mean over rollouts of the log change of equity of the whole piece. */
  readonly growth: number;
}

/** Bars at which a piece decides. */
export function decidedAt(decisions: number, { hold, phase }: Deciding): Int32Array {
  const count = Math.max(0, Math.ceil((decisions - phase) / hold));
  return Int32Array.from({ length: count }, (_, i) => phase + i * hold);
}

/** Targets by bar of a piece when these actions are taken; NaN between two decisions. */
export function targetsOf(
  bars: number,
  at: Int32Array,
  actions: Uint8Array,
  positions: readonly number[],
): Float64Array {
  const targets = new Float64Array(bars).fill(NaN);
  at.forEach((bar, i) => (targets[bar] = positions[actions[i]!]!));
  return targets;
}

/**
 * What a decision at the close of a bar can still change: it fills in the next bar and is replaced, at the price of the
 * difference, in the bar `hold` bars after that. What comes later depends on later decisions alone.
 */
export function gainOf(rewards: Float64Array, bar: number, hold: number): number {
  let sum = 0;
  const end = Math.min(bar + hold + 1, rewards.length - 1);
  for (let t = bar + 1; t <= end; t++) sum += rewards[t]!;
  return sum;
}

export function sampleRollouts(
  piece: Piece,
  deciding: Deciding,
  count: number,
  random: Random,
): Rollouts {
  const { probabilities, positions, hold } = deciding;
  const at = decidedAt(piece.decisions, deciding);
  const actions: Uint8Array[] = [];
  const gains: Float64Array[] = [];
  let growth = 0;
  for (let m = 0; m < count; m++) {
    const taken = Uint8Array.from(at, (bar) =>
      drawn(probabilities, bar * positions.length, positions.length, random()),
    );
    const rewards = piece.play(targetsOf(piece.decisions + 1, at, taken, positions));
    actions.push(taken);
    gains.push(Float64Array.from(at, (bar) => gainOf(rewards, bar, hold)));
    growth += rewards.reduce((sum, reward) => sum + reward, 0) / count;
  }
  return { at, actions, gains, growth };
}

function drawn(p: Float64Array, from: number, classes: number, u: number): number {
  let sum = 0;
  for (let c = 0; c < classes - 1; c++) {
    sum += p[from + c]!;
    if (u < sum) return c;
  }
  return classes - 1;
}

/** Each gain less the mean of the same decision's in the other rollouts. */
export function advantagesOf(gains: readonly Float64Array[]): readonly Float64Array[] {
  const others = gains.length - 1;
  const total = gains[0]!.map((_, i) => gains.reduce((sum, gain) => sum + gain[i]!, 0));
  return gains.map((gain) => gain.map((own, i) => own - (total[i]! - own) / others));
}

/**
 * Adds `weight` x sum of A_i d ln pi(a_i) by the logits to `into`, row-major [decisions x classes]: of action c that is
 * A (1[a = c] - p_c).
 */
export function addScores(
  { probabilities, positions }: Pick<Deciding, 'probabilities' | 'positions'>,
  at: Int32Array,
  of: { readonly actions: Uint8Array; readonly advantages: Float64Array; readonly weight: number },
  into: Float64Array,
): void {
  const classes = positions.length;
  for (let i = 0; i < at.length; i++) {
    const from = at[i]! * classes;
    const advantage = of.advantages[i]! * of.weight;
    for (let c = 0; c < classes; c++) {
      into[from + c]! -= advantage * probabilities[from + c]!;
    }
    into[from + of.actions[i]!]! += advantage;
  }
}

/** Adds `weight` x sum of the entropies' gradients by the logits: -p_c (ln p_c + H). */
export function addEntropies(
  { probabilities, positions }: Pick<Deciding, 'probabilities' | 'positions'>,
  at: Int32Array,
  weight: number,
  into: Float64Array,
): void {
  const classes = positions.length;
  for (const bar of at) {
    const p = probabilities.subarray(bar * classes, (bar + 1) * classes);
    const logs = p.map((value) => Math.log(Math.max(value, Number.MIN_VALUE)));
    const entropy = -p.reduce((sum, value, c) => sum + value * logs[c]!, 0);
    for (let c = 0; c < classes; c++) {
      into[bar * classes + c]! -= weight * p[c]! * (logs[c]! + entropy);
    }
  }
}

/**
 * Gradient by the logits of one horizon, row-major [decisions x classes], of the mean reward a decision in units of
 * `deviation`, plus `entropy` x the mean entropy.
 */
export function logitGradient(
  deciding: Deciding,
  { at, actions, gains }: Rollouts,
  { deviation, entropy }: { readonly deviation: number; readonly entropy: number },
): Float64Array {
  const into = new Float64Array(deciding.probabilities.length);
  if (at.length === 0) return into;
  const weight = 1 / (gains.length * at.length * deviation);
  for (const [m, advantages] of advantagesOf(gains).entries()) {
    addScores(deciding, at, { actions: actions[m]!, advantages, weight }, into);
  }
  addEntropies(deciding, at, entropy / at.length, into);
  return into;
}
