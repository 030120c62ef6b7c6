import { z } from 'zod';
import {
  defineSplit,
  embargoBars,
  embargoSchema,
  purgeBars,
  purgeSchema,
  requireLargeParts,
} from './split.ts';
import { keptBefore, range } from './times.ts';

/** The newest decision times test, those before validate, those before train; purged rows come on top. */
export const recent = defineSplit({
  name: 'recent',
  docs:
    'The newest samples, each part with exactly the number asked for after purging. A refit rolls: it takes the ' +
    'newest `trainBars`.',
  schema: z.strictObject({
    kind: z.literal('recent'),
    trainBars: z.int().min(100).max(100_000).describe('Labelled samples of the training part.'),
    validBars: z.int().min(30).max(20_000).describe('Samples that choose epoch and penalty.'),
    testBars: z.int().min(30).max(20_000).describe('Newest samples, for the evaluation only.'),
    purge: purgeSchema,
    embargo: embargoSchema,
  }),
  retrainsAsItIs: true,
  bind(split) {
    const { trainBars, validBars, testBars } = split;
    const embargo = embargoBars(split);
    return {
      embargoAhead: embargo,
      cut(times, shape) {
        const purge = purgeBars(split, shape);
        const n = times.time.length;
        requireLargeParts({ trainBars, validBars, testBars }, shape);
        const testFrom = n - testBars;
        const valid = keptBefore(times, 0, testFrom - embargo, purge).slice(-validBars);
        const train = keptBefore(times, 0, (valid[0] ?? 0) - embargo, purge).slice(-trainBars);
        // A shorter training part than asked for would be another experiment than the one described.
        const complete = train.length === trainBars && testFrom >= 0;
        return [{ train: complete ? train : [], valid, test: range(Math.max(0, testFrom), n) }];
      },
      /** Rolling: as many as the training part has, the newest of them. */
      refit(times, shape, part) {
        const n = times.time.length;
        const border = n - testBars - embargo;
        const kept =
          part === 'all' ? range(0, n) : keptBefore(times, 0, border, purgeBars(split, shape));
        return kept.slice(-trainBars);
      },
      minimumSamples(shape) {
        const between = purgeBars(split, shape) + embargo;
        return trainBars + between + validBars + between + testBars;
      },
    };
  },
});
