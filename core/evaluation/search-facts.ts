import { z } from 'zod';

/** The search that chose the hyperparameters, on the validation part only. */
export const searchFactsSchema = z.object({
  search: z.string(),
  pruner: z.string(),
  /** Trials that began. */
  trials: z.int(),
  pruned: z.int(),
  failed: z.int(),
  stoppedBy: z.enum(['trials', 'exhausted', 'minutes']),
  bestTrial: z.int(),
  chosen: z.array(z.object({ path: z.string(), value: z.unknown() })),
  /** Weighted loss of the best trial on the validation part, which chose it. */
  validLoss: z.number(),
  /** The same without the luck of being the best of so many (core/search/best.ts). */
  deflatedValidLoss: z.number(),
  /** Share of the trials' ranks that a hyperparameter alone explains (core/search/importance.ts). */
  importances: z.array(z.object({ path: z.string(), share: z.number().nullable() })),
});
export type SearchFacts = z.infer<typeof searchFactsSchema>;

/** One sentence: how the hyperparameters were chosen, and what that means for the figures. */
export function searchWords({ trials, search, validLoss, deflatedValidLoss }: SearchFacts): string {
  return (
    `Its hyperparameters are the best of ${trials} trials (${search}) by validation loss, ` +
    `${validLoss.toPrecision(4)}, which is ${deflatedValidLoss.toPrecision(4)} without the luck of the choice. ` +
    'The search is one try; it saw no test row.'
  );
}
