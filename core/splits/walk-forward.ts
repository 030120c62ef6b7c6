import { z } from 'zod';
import {
  defineSplit,
  embargoBars,
  embargoSchema,
  minimumRows,
  purgeBars,
  purgeSchema,
  requireLargeParts,
} from './split.ts';
import { type DecisionTimes, type FoldTimes, keptBefore, range } from './times.ts';

/** More folds cost a fit each and a seed; with fewer than two it is `recent`. */
const FOLDS_MAX = 20;

const schema = z
  .strictObject({
    kind: z.literal('walkForward'),
    mode: z
      .enum(['expanding', 'rolling'])
      .default('expanding')
      .describe('Training part of a fold: from the first sample on, or the newest `trainBars`.'),
    folds: z.int().min(2).max(FOLDS_MAX).default(5).describe('Test parts, one after the other.'),
    trainBars: z
      .int()
      .min(100)
      .max(100_000)
      .optional()
      .describe(
        'rolling: samples of each training part; expanding: fewest of the first fold (default 100).',
      ),
    validBars: z
      .int()
      .min(30)
      .max(20_000)
      .describe('Samples of a fold that choose epoch and penalty.'),
    testBars: z.int().min(30).max(20_000).describe('Samples of each test part.'),
    purge: purgeSchema,
    embargo: embargoSchema,
  })
  .refine((split) => split.mode !== 'rolling' || split.trainBars !== undefined, {
    path: ['trainBars'],
    message: 'a rolling training part needs a length',
  });

/** Fewest training samples where none are asked for: what `recent` takes at least. */
const TRAIN_BARS_MIN = 100;

/**
 * Several `recent` splits, each `testBars` later than the one before: the test parts follow one another without a gap
 * and end at the newest sample. Every fold knows only what lay before its test part.
 */
export const walkForward = defineSplit({
  name: 'walkForward',
  docs:
    'Each fold trains and validates on what lies before its test part, the test parts follow one another and end at ' +
    'the newest sample. Figures are of all test parts together, each row forecast once, by the fold that had not seen ' +
    "it; the newest fold's fit is served, or its refit.",
  schema,
  retrainsAsItIs: false,
  bind(split) {
    const { mode, folds, validBars, testBars } = split;
    const embargo = embargoBars(split);
    const trainBars = split.trainBars ?? TRAIN_BARS_MIN;
    const kept = (list: number[]): number[] => (mode === 'rolling' ? list.slice(-trainBars) : list);
    const fold = (times: DecisionTimes, purge: number, testFrom: number): FoldTimes => {
      const valid = keptBefore(times, 0, testFrom - embargo, purge).slice(-validBars);
      const train = kept(keptBefore(times, 0, (valid[0] ?? 0) - embargo, purge));
      // A shorter training part than asked for would be another experiment than the one described.
      const complete = train.length >= trainBars && testFrom >= 0;
      const test = range(Math.max(0, testFrom), testFrom + testBars);
      return { train: complete ? train : [], valid, test };
    };
    return {
      embargoAhead: embargo,
      cut(times, shape) {
        const purge = purgeBars(split, shape);
        requireLargeParts({ trainBars, validBars, testBars }, shape);
        const first = times.time.length - folds * testBars;
        return range(0, folds).map((k) => fold(times, purge, first + k * testBars));
      },
      refit(times, shape, part) {
        const n = times.time.length;
        const border = n - testBars - embargo;
        return kept(
          part === 'all' ? range(0, n) : keptBefore(times, 0, border, purgeBars(split, shape)),
        );
      },
      minimumSamples(shape) {
        const between = purgeBars(split, shape) + embargo;
        const train = Math.max(trainBars, minimumRows(shape));
        return train + between + validBars + between + folds * testBars;
      },
    };
  },
});
