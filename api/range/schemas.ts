import { z } from '@hono/zod-openapi';
import { ARROW_COLUMNS } from '../../core/ranges/index.ts';
import { answerSchema } from '../prediction-schemas.ts';
import { problemSchema } from '../secure.ts';

/** What a prediction says, without what is the same in every row. */
const saidSchema = z.object({
  ...answerSchema.pick({
    ...{ asOf: true, lastClose: true, horizons: true, consistency: true, beatsNaive: true },
    ...{ dissimilarity: true, outlier: true, abstain: true, abstainReasons: true },
    ...{ stale: true, staleBars: true, fallback: true, fallbackReason: true },
  }).shape,
});

/** An answer of a range. */
export const rangeRowSchema = z
  .object({
    cursor: z.string().describe('Asked with it, the range goes on behind this row.'),
    instrument: z.string(),
    at: z
      .string()
      .describe(
        'When it could be asked first: decide no earlier. `asOf` of the prediction is the bar that it rests on.',
      ),
    version: z.int().nullable().describe('Who answers; null: nothing served then.'),
    prediction: saidSchema.optional(),
    problem: problemSchema
      .pick({ status: true, code: true, detail: true })
      .optional()
      .describe('Why there is no prediction.'),
  })
  .openapi('RangeRow');

/** The last line: a stream that was cut has none. */
export const rangeEndSchema = z
  .discriminatedUnion('done', [
    z.object({
      done: z.literal(true),
      rows: z.int().describe('Of this answer.'),
      failed: z.int().describe('Of them, those with a problem.'),
    }),
    z.object({ done: z.literal(false), problem: problemSchema }),
  ])
  .openapi('RangeEnd');

/** For the documentation. */
export const ARROW_WORDS =
  `Of a range: a record batch a chunk of rows. Columns: ${ARROW_COLUMNS.join(', ')} (its code), and of each horizon, ` +
  'such as 7: h7_targetDate, h7_change, h7_price, h7_direction, of classes also h7_class, h7_probabilityUp, and ' +
  'h7_p_ with the name of each class. Times are milliseconds UTC.';

/** Headers of a range. */
export const rangeHeaders = z.object({
  'x-ratchet-version': z
    .string()
    .optional()
    .describe('Of a range: who answers; `then`: whichever served at each time.'),
  'x-ratchet-rows': z.string().optional().describe('Of a range: rows that this answer will have.'),
});
