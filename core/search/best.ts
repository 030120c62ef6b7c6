import { normalQuantile } from './normal.ts';

/** A trial, as far as it decides which is best. */
export interface Ended {
  readonly trial: number;
  readonly state: 'running' | 'completed' | 'pruned' | 'failed' | 'cancelled';
  /** Validation loss after its last rung; null: none finished. */
  readonly loss: number | null;
}

/** The trial with the least validation loss of those trained to their end; of equals the earliest. */
export function bestOf(trials: readonly Ended[]): (Ended & { readonly loss: number }) | undefined {
  let best: (Ended & { readonly loss: number }) | undefined;
  for (const trial of trials) {
    const { loss, state } = trial;
    if (state !== 'completed' || loss === null) continue;
    if (best === undefined || loss < best.loss) best = { ...trial, loss };
  }
  return best;
}

const EULER = 0.577_215_664_901_532_9;

/**
 * The winner's validation loss without the luck of having been chosen: what is left when `trials` trials had differed by
 * chance alone.
 * Formula: best + sd x ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), the expected maximum of N independent normal scores, g
 * Euler's constant, z the normal quantile, sd that of the losses of trials trained to their end (ddof 1).
 * Reference: Bailey and Lopez de Prado, The Deflated Sharpe Ratio, 2014, appendix; there for Sharpe ratios.
 * Edge: fewer than two losses, or one trial: nothing to deflate by, `best` itself. The sd holds true differences between
 * hyperparameters too, and neighbouring trials are alike, so the figure errs on the cautious side.
 */
export function deflatedLoss(losses: readonly number[], trials: number): number {
  const best = Math.min(...losses);
  if (losses.length < 2 || trials < 2) return best;
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / (losses.length - 1);
  const expected =
    (1 - EULER) * normalQuantile(1 - 1 / trials) +
    EULER * normalQuantile(1 - 1 / (trials * Math.E));
  return best + Math.sqrt(variance) * Math.max(0, expected);
}
