/** What an evaluation was made on: the data, as an evaluation holds it. */
import { z } from 'zod';

const findingSchema = z.object({
  rule: z.string(),
  severity: z.enum(['block', 'warn']),
  message: z.string(),
  count: z.int(),
});

export const dataFactsSchema = z.object({
  instruments: z.array(z.string()),
  timeframe: z.string(),
  featureSet: z.string(),
  featureHash: z.string(),
  features: z.int(),
  lookback: z.int(),
  /** What was done to outliers of the training rows. */
  outliers: z.string().optional(),
  labelKind: z.string(),
  /** Of labels with classes: the label's settings, and each class with its share of the training part by horizon. */
  labelParams: z.record(z.string(), z.unknown()).optional(),
  classes: z.array(z.object({ name: z.string(), priors: z.array(z.number()) })).optional(),
  horizons: z.array(z.int()),
  datasets: z.array(
    z.object({
      instrument: z.string(),
      hash: z.string(),
      firstBar: z.string(),
      lastBar: z.string(),
      deliveredBy: z.string(),
    }),
  ),
  quality: z.array(
    z.object({
      instrument: z.string(),
      rows: z.int(),
      score: z.number(),
      minScore: z.number(),
      passed: z.boolean(),
      findings: z.array(findingSchema),
    }),
  ),
});
