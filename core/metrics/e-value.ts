/**
 * The strict sequential test: an e-value of the clipped loss difference.
 * Formula: X = clip(block mean / c, -1, 1) with c the 98th percentile of the absolute block means of the offline
 * evaluation; wealth of a stream = mean over lambda in {2^-1 .. 2^-8} of prod (1 + lambda X_k). Under "the challenger
 * is no better" each wealth is a nonnegative supermartingale that starts at 1, so P(wealth ever >= 1/alpha) <= alpha
 * (Ville 1939), for any dependence and any size of the sample. What is tested is the mean of the *clipped* difference.
 *
 * Losses of horizon h > 1 overlap: blocks of h rows in two interleaved streams (even, odd), as block k is settled before
 * block k + 2 begins. The decision falls at the first average of the streams >= 1/alpha. Each stream alone is exact; their running
 * average is not itself a supermartingale for h > 1 (Henzi and Ziegel, corrigendum 2022), so it is a decision rule whose
 * rate is shown by simulation (docs/gate-simulation.md) and not an anytime p-value. `certain` says whether
 * max(stream) >= 2/alpha held too, which is exact.
 */
import { RatchetError } from '../errors.ts';
import {
  blockMeans,
  checkedPlan,
  minRows,
  ROUNDING,
  type SequentialDecision,
  type SequentialPlan,
  type SequentialVerdict,
} from './sequential.ts';

/** Stakes 2^-1 .. 2^-8. */
const STAKES = Float64Array.from({ length: 8 }, (_, i) => 2 ** -(i + 1));
const CLIP_QUANTILE = 0.98;

export interface ValueTest extends SequentialVerdict {
  /** Average wealth of the streams betting that the challenger is better, and that it is worse. */
  readonly wealth: number;
  readonly wealthHarm: number;
  /** A stream alone reached 2/alpha (1/alpha with one stream): exact for every horizon. */
  readonly certain: boolean;
}

/**
 * The scale c: 98th percentile (linear between order statistics) of the absolute means of blocks of `horizon` rows of
 * the *offline* differences; null where there is none (no whole block, a row that is not finite, or all zero).
 */
export function clipScale(offline: Float64Array, horizon: number): number | null {
  const sizes = blockMeans(offline, horizon).map(Math.abs).sort();
  if (sizes.length === 0 || !sizes.every(Number.isFinite)) return null;
  const at = CLIP_QUANTILE * (sizes.length - 1);
  const below = Math.floor(at);
  const low = sizes[below]!;
  const scale = low + (at - below) * ((sizes[below + 1] ?? low) - low);
  return scale > 0 ? scale : null;
}

/**
 * The e-value test over settled rows in their order; stops at its first decision. `scale` comes from `clipScale` on
 * rows that are not of this trial. Total over non-finite rows. Throws `metrics.plan` on a plan out of range.
 */
export function valueTest(
  differences: Float64Array,
  plan: SequentialPlan & { readonly scale: number },
): ValueTest {
  const { alpha, alphaHarm } = checkedPlan(plan);
  if (!(plan.scale > 0 && Number.isFinite(plan.scale))) {
    throw new RatchetError('metrics.plan', `the clip must be a positive number, not ${plan.scale}`);
  }
  const blocks = blockMeans(differences, plan.horizon);
  const streams = plan.horizon === 1 ? 1 : 2;
  const gain = new Wealth(streams);
  const harm = new Wealth(streams);
  const enough = minRows(plan.horizon);
  let [lowest, highest] = [Infinity, -Infinity];
  let status: SequentialVerdict['status'] = 'insufficientEvidence';
  const answer = (decision: SequentialDecision, k: number): ValueTest => ({
    decision,
    status,
    blocks: k,
    rows: k * plan.horizon,
    wealth: gain.average(),
    wealthHarm: harm.average(),
    certain:
      (decision === 'better' && gain.largest() >= streams / alpha) ||
      (decision === 'worse' && harm.largest() >= streams / alphaHarm),
  });
  for (let k = 0; k < blocks.length; k++) {
    const mean = blocks[k]!;
    if (!Number.isFinite(mean)) {
      status = 'notFinite';
      return answer('open', k);
    }
    const x = Math.max(-1, Math.min(1, mean / plan.scale));
    gain.bet(k % streams, x);
    harm.bet(k % streams, -x);
    lowest = Math.min(lowest, mean);
    highest = Math.max(highest, mean);
    if ((k + 1) * plan.horizon < enough) continue;
    const rounding = ROUNDING * Math.max(Math.abs(lowest), Math.abs(highest));
    status = highest - lowest <= rounding ? 'constant' : 'tested';
    if (status === 'constant') continue;
    if (gain.average() >= 1 / alpha) return answer('better', k + 1);
    if (harm.average() >= 1 / alphaHarm) return answer('worse', k + 1);
  }
  return answer('open', blocks.length);
}

/** Wealth by stream and stake, each starting at 1. */
class Wealth {
  readonly #products: Float64Array;
  readonly #totals: Float64Array;

  constructor(streams: number) {
    this.#products = new Float64Array(streams * STAKES.length).fill(1);
    this.#totals = new Float64Array(streams).fill(1);
  }

  bet(stream: number, x: number): void {
    let sum = 0;
    for (let i = 0; i < STAKES.length; i++) {
      const at = stream * STAKES.length + i;
      // A product that overflows stays at the largest number: wealth is compared, never subtracted.
      const product = Math.min(Number.MAX_VALUE / 16, this.#products[at]! * (1 + STAKES[i]! * x));
      this.#products[at] = product;
      sum += product;
    }
    this.#totals[stream] = sum / STAKES.length;
  }

  average(): number {
    let sum = 0;
    for (let i = 0; i < this.#totals.length; i++) sum += this.#totals[i]!;
    return sum / this.#totals.length;
  }

  largest(): number {
    return this.#totals.reduce((most, x) => Math.max(most, x), 0);
  }
}
