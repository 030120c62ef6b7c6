/**
 * Sequential tests of a trial's rows: look at every new block, decide at any time, and still promote an equal
 * challenger with probability alpha at most. Formulas: STATISTICS section 4.
 *
 * Two guarantees over the same rows d[t] = champion's loss - challenger's loss (positive: the challenger is better):
 * - `asymptotic`: a lower confidence sequence for the mean of d (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024,
 *   "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics; one-sided form).
 *   It assumes nothing on the size of the losses, and is approximate.
 * - `strict`: an e-value of the clipped d, by betting with a mixture of stakes (Waudby-Smith and Ramdas 2024,
 *   "Estimating means of bounded random variables by betting", JRSS B). See e-value.ts.
 */
import { RatchetError } from '../errors.ts';
import { MIN_INDEPENDENT } from './comparison.ts';

/** The confidence sequence decides nothing before this many blocks: it is a statement about large k. */
export const MIN_BLOCKS = 20;
/** Overlapping losses are dependent over `horizon` rows: blocks of three horizons nearly are not. */
const HORIZONS_A_BLOCK = 3;
const MIN_BLOCK_ROWS = 5;

/**
 * `better`: promote. `worse`: abort for harm. `open`: nothing is shown yet; the trial goes on, and at its end the
 * champion stays.
 */
export type SequentialDecision = 'better' | 'worse' | 'open';

/** What both tests answer. */
export interface SequentialVerdict {
  readonly decision: SequentialDecision;
  /** Settled rows at the decision, or all rows in whole blocks when still open. */
  readonly rows: number;
  /** Whole blocks among them. */
  readonly blocks: number;
  /**
   * `tested`; `insufficientEvidence`: too few blocks or independent horizons to decide anything; `constant`: no block
   * differs from another beyond rounding (the same model twice), which is no evidence rather than infinite evidence;
   * `notFinite`: a NaN or infinite row came before a decision, and nothing after it is read.
   */
  readonly status: 'tested' | 'insufficientEvidence' | 'constant' | 'notFinite';
}

export interface ConfidenceSequence extends SequentialVerdict {
  /** Mean of the blocks and of each block's difference, loss units; NaN without a block. */
  readonly mean: number;
  /** At level alpha the true mean difference is above this, at all times at once; -Infinity before a bound exists. */
  readonly lower: number;
  /** At level alphaHarm it is below this; Infinity before a bound exists. */
  readonly upper: number;
}

export interface SequentialPlan {
  /** Longest horizon in bars, 1 or more. */
  readonly horizon: number;
  /** Level of a false promotion, below 0.5 (that of the try: see `levelOfTry`). 0 never decides. */
  readonly alpha: number;
  /** Level of a false abort for harm; 0.05 by default. */
  readonly alphaHarm?: number;
}

export const ALPHA_HARM = 0.05;

/** Rows in a block of the confidence sequence: max(3 h, 5). */
export function blockRows(horizon: number): number {
  return Math.max(HORIZONS_A_BLOCK * horizon, MIN_BLOCK_ROWS);
}

/**
 * Half the width of the one-sided confidence sequence, in standard deviations of a block, after k blocks:
 * `sqrt(2 (k r2 + 1) / (k^2 r2) ln(1 + sqrt(k r2 + 1) / (2 alpha)))`, narrowest near `halfway` blocks with
 * `r2 = (-2 ln alpha + ln(-2 ln alpha) + 1) / halfway`. Infinity for alpha = 0.
 */
export function sequenceRadius(k: number, alpha: number, halfway: number): number {
  if (alpha === 0) return Infinity;
  const logLevel = -2 * Math.log(alpha);
  const r2 = (logLevel + Math.log(logLevel) + 1) / halfway;
  const grown = k * r2 + 1;
  return Math.sqrt(((2 * grown) / (k * k * r2)) * Math.log1p(Math.sqrt(grown) / (2 * alpha)));
}

/**
 * The confidence sequence over settled rows in their order, `plannedRows` being all that the trial will have at its
 * end (they set where the sequence is narrowest, and may not depend on the losses). It stops at its first decision.
 * Blocks of `blockRows` consecutive rows; SD with ddof 0. Total over non-finite rows. Throws on a plan out of range.
 */
export function confidenceSequence(
  differences: Float64Array,
  plan: SequentialPlan & { readonly plannedRows: number },
): ConfidenceSequence {
  const { alpha, alphaHarm } = checkedPlan(plan);
  const size = blockRows(plan.horizon);
  const halfway = plan.plannedRows / size / 2;
  if (!(halfway > 0)) throw new RatchetError('metrics.empty', 'a trial needs planned rows');
  const blocks = blockMeans(differences, size);
  let mean = NaN;
  let squares = 0;
  let largest = 0;
  let bounds = { lower: -Infinity, upper: Infinity };
  let status: SequentialVerdict['status'] = 'insufficientEvidence';
  const answer = (decision: SequentialDecision, k: number): ConfidenceSequence => {
    return { decision, status, blocks: k, rows: k * size, mean, ...bounds };
  };
  for (let k = 1; k <= blocks.length; k++) {
    const x = blocks[k - 1]!;
    if (!Number.isFinite(x)) {
      status = 'notFinite';
      return answer('open', k - 1);
    }
    const before = k === 1 ? x : mean;
    mean = before + (x - before) / k;
    squares += (x - before) * (x - mean);
    largest = Math.max(largest, Math.abs(x));
    if (k < MIN_BLOCKS) continue;
    const sd = Math.sqrt(squares / k);
    status = sd <= ROUNDING * largest ? 'constant' : 'tested';
    if (status === 'constant') continue;
    bounds = {
      lower: mean - sd * sequenceRadius(k, alpha, halfway),
      upper: mean + sd * sequenceRadius(k, alphaHarm, halfway),
    };
    if (bounds.lower > 0) return answer('better', k);
    if (bounds.upper < 0) return answer('worse', k);
  }
  return answer('open', blocks.length);
}

/** Block means that differ by less than this share of the largest differ by rounding only. */
export const ROUNDING = 1e-12;

/** Means of consecutive whole blocks; what is left over at the end waits for its block to fill. */
export function blockMeans(rows: Float64Array, size: number): Float64Array {
  const means = new Float64Array(Math.floor(rows.length / size));
  for (let k = 0; k < means.length; k++) {
    let sum = 0;
    for (let i = k * size; i < (k + 1) * size; i++) sum += rows[i]!;
    means[k] = sum / size;
  }
  return means;
}

/** The levels, defaults filled in. Throws `metrics.plan` on a horizon or a level out of range. */
export function checkedPlan({ horizon, alpha, alphaHarm = ALPHA_HARM }: SequentialPlan): {
  readonly alpha: number;
  readonly alphaHarm: number;
} {
  const level = (value: number): boolean => value >= 0 && value < 0.5;
  if (!Number.isInteger(horizon) || horizon < 1 || !level(alpha) || !level(alphaHarm)) {
    throw new RatchetError(
      'metrics.plan',
      `a sequential test needs a horizon of 1 or more and levels in [0, 0.5), not ${horizon}, ${alpha}, ${alphaHarm}`,
    );
  }
  return { alpha, alphaHarm };
}

/** Rows that hold the least number of independent horizons. */
export const minRows = (horizon: number): number => MIN_INDEPENDENT * horizon;
