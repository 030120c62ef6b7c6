import { z } from 'zod';

const purge = z
  .union([z.literal('auto'), z.int().min(0).max(1000)])
  .default('auto')
  .describe('Rows left out before the next part; auto: the longest horizon.');
const embargo = z
  .union([z.literal('auto'), z.int().min(0).max(1000)])
  .default('auto')
  .describe('Further rows left out; auto: 0, since no training row lies after a test row.');

/** How labelled samples are parted, in order of time. */
export const splitSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('chronological'),
    ratios: z
      .tuple([z.number().positive(), z.number().positive(), z.number().positive()])
      .refine((r) => Math.abs(r[0] + r[1] + r[2] - 1) < 1e-9, 'ratios must add up to 1')
      .default([0.7, 0.15, 0.15])
      .describe('Shares of train, valid and test.'),
    purge,
    embargo,
  }),
  z.strictObject({
    kind: z.literal('recent'),
    trainBars: z.int().min(100).max(100_000).describe('Labelled samples of the training part.'),
    validBars: z.int().min(30).max(20_000).describe('Samples that choose epoch and penalty.'),
    testBars: z.int().min(30).max(20_000).describe('Newest samples, for the evaluation only.'),
    purge,
    embargo,
  }),
]);
