import { z } from 'zod';
import { spaceEntrySchema } from '../search/space.ts';
import { nameSchema } from './names.ts';

/** A week: a search that may take longer is not meant. */
const BUDGET_MINUTES_MAX = 10_080;

/** Hyperparameter search (core/search): trials on the training part, judged on the validation part only. */
export const tuneSchema = z.strictObject({
  search: nameSchema.default('tpe').describe('How trials are chosen, by name (see Searches).'),
  trials: z
    .int()
    .min(1)
    .max(1000)
    .default(20)
    .describe('Trials at most: one fit of one seed each.'),
  parallel: z
    .int()
    .min(1)
    .max(32)
    .default(4)
    .describe(
      'Trials at once, however many training slots there are: trial k knows the results of trials up to k - parallel.',
    ),
  pruner: z
    .string()
    .default('none')
    .describe('What ends trials early that promise little (see Pruners).'),
  budgetMinutes: z
    .number()
    .positive()
    .max(BUDGET_MINUTES_MAX)
    .optional()
    .describe(
      'After so many minutes no further trial begins; then the result depends on the machine.',
    ),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe('Of the search; every trial is fitted with the least of `seeds`.'),
  space: z
    .record(z.string().max(100), spaceEntrySchema)
    .refine((space) => Object.keys(space).length > 0, 'name at least one hyperparameter')
    .optional()
    .describe(
      'Exactly the hyperparameters that are searched, by dotted name: `low`, `high`, `scale` (linear, log), `choices`, ' +
        '`points`. `{}` takes the range of the family. Default: those that the family searches by default and ' +
        '`hyperparameters` does not give.',
    ),
});
export type Tune = z.output<typeof tuneSchema>;
