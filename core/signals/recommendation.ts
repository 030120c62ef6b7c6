import { z } from 'zod';
import type { LabelKind } from '../labels/index.ts';
import type { HorizonAnswer } from '../predict/answer.ts';

/** From the most certain rise to the most certain fall. */
export const RECOMMENDATIONS = ['strong_buy', 'buy', 'hold', 'sell', 'strong_sell'] as const;
export type Recommendation = (typeof RECOMMENDATIONS)[number];

/** Scores from which on a recommendation is given; those of sells are the same below 0. */
export interface Cuts {
  readonly buy: number;
  readonly strongBuy: number;
}

/**
 * Of probabilities, a score is p(buy) - p(sell) in -1..1. Of a label that only knows buy, it is how far p(buy) lies from its
 * share b of the training part, (p - b) / sqrt(b (1 - b)), so that "sell" means "less likely than usual".
 */
const DEFAULT_CUTS = {
  twoSided: { buy: 0.15, strongBuy: 0.35 },
  againstBaseRate: { buy: 0.4, strongBuy: 1 },
} as const satisfies Record<string, Cuts>;

/** `serving.recommendation` of a spec. */
export const cutsSchema = z
  .strictObject({
    buy: z
      .number()
      .positive()
      .max(10)
      .describe('Least score of buy; at or below its negative: sell.'),
    strongBuy: z.number().positive().max(10).describe('Least score of strong_buy, and so on.'),
  })
  .refine(({ buy, strongBuy }) => buy < strongBuy, 'strongBuy must lie above buy');

/** What one horizon of an answer recommends. */
export interface Recommended {
  readonly recommendation: Recommendation;
  /** See `DEFAULT_CUTS`. */
  readonly score: number;
  /** Of a rise that counts, 0..1. */
  readonly probability: number;
  readonly basis: keyof typeof DEFAULT_CUTS;
  readonly cuts: Cuts;
}

/** The step that a score reaches; a score on a cut reaches it. */
export function stepOf(score: number, { buy, strongBuy }: Cuts): Recommendation {
  if (score >= strongBuy) return 'strong_buy';
  if (score >= buy) return 'buy';
  if (score <= -strongBuy) return 'strong_sell';
  return score <= -buy ? 'sell' : 'hold';
}

interface Basis {
  readonly basis: keyof typeof DEFAULT_CUTS;
  readonly score: number;
  readonly probability: number;
}

function basisOf(
  label: LabelKind,
  { probabilityUp, classes }: HorizonAnswer,
  priors: readonly number[] | undefined,
): Basis | undefined {
  if (label.task === 'regression') {
    if (probabilityUp === null) return undefined;
    // Up or not: p(sell) = 1 - p(buy).
    return { basis: 'twoSided', score: 2 * probabilityUp - 1, probability: probabilityUp };
  }
  const p = label.classes.map((name) => classes?.probabilities[name] ?? NaN);
  const total = (direction: number, of: readonly number[]): number =>
    of.reduce((sum, x, i) => (label.directions[i] === direction ? sum + x : sum), 0);
  const rise = total(1, p);
  if (!Number.isFinite(rise)) return undefined;
  if (label.directions.includes(-1)) {
    return { basis: 'twoSided', score: rise - total(-1, p), probability: rise };
  }
  const base = total(1, priors ?? []);
  if (!(base > 0 && base < 1)) return undefined;
  const score = (rise - base) / Math.sqrt(base * (1 - base));
  return { basis: 'againstBaseRate', score, probability: rise };
}

/**
 * The recommendation of one horizon (STATISTICS 5). `priors`: shares of the label's classes in the training part;
 * `cuts`: those of the package, absent: the defaults. undefined where the answer has no probability (a quantity that was
 * asked for without confidence), or the training part knew only one class.
 */
export function recommend(
  label: LabelKind,
  answer: HorizonAnswer,
  priors: readonly number[] | undefined,
  cuts?: Cuts,
): Recommended | undefined {
  const found = basisOf(label, answer, priors);
  if (found === undefined) return undefined;
  const used = cuts ?? DEFAULT_CUTS[found.basis];
  return { ...found, recommendation: stepOf(found.score, used), cuts: used };
}

/** The recommendation of a score in -1..1 that no model gave. */
export const recommendByScore = (score: number): Pick<Recommended, 'recommendation' | 'cuts'> => ({
  recommendation: stepOf(score, DEFAULT_CUTS.twoSided),
  cuts: DEFAULT_CUTS.twoSided,
});
