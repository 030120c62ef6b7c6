import { z } from 'zod';
import {
  defineSplit,
  embargoBars,
  embargoSchema,
  minimumRows,
  purgeBars,
  purgeSchema,
} from './split.ts';
import { keptBefore, range } from './times.ts';

/** Share of n, robust against 0.7 + 0.15 not being 0.85. */
export const share = (ratio: number, n: number): number => Math.floor(ratio * n + 1e-9);

/** Oldest part trains, the next validates, the newest tests; shares of the labelled decision times. */
export const chronological = defineSplit({
  name: 'chronological',
  docs:
    'The oldest samples train, the next validate, the newest test, by shares of all there are. A refit expands: it ' +
    'begins at the first sample.',
  schema: z.strictObject({
    kind: z.literal('chronological'),
    ratios: z
      .tuple([z.number().positive(), z.number().positive(), z.number().positive()])
      .refine((r) => Math.abs(r[0] + r[1] + r[2] - 1) < 1e-9, 'ratios must add up to 1')
      .default([0.7, 0.15, 0.15])
      .describe('Shares of train, valid and test.'),
    purge: purgeSchema,
    embargo: embargoSchema,
  }),
  retrainsAsItIs: false,
  bind(split) {
    const [trainRatio, validRatio] = split.ratios;
    const borders = (n: number): readonly [number, number] => [
      share(trainRatio, n),
      share(trainRatio + validRatio, n),
    ];
    const embargo = embargoBars(split);
    return {
      embargoAhead: embargo,
      cut(times, shape) {
        const purge = purgeBars(split, shape);
        const n = times.time.length;
        const [validFrom, testFrom] = borders(n);
        return [
          {
            train: keptBefore(times, 0, validFrom, purge),
            valid: keptBefore(times, validFrom + embargo, testFrom, purge),
            test: range(testFrom + embargo, n),
          },
        ];
      },
      refit(times, shape, part) {
        const n = times.time.length;
        if (part === 'all') return range(0, n);
        return keptBefore(times, 0, borders(n)[1], purgeBars(split, shape));
      },
      minimumSamples(shape) {
        const purge = purgeBars(split, shape);
        const minimum = minimumRows(shape);
        const fits = (n: number): boolean => {
          const [validFrom, testFrom] = borders(n);
          const valid = testFrom - validFrom - purge - embargo;
          return Math.min(validFrom - purge, valid, n - testFrom - embargo) >= minimum;
        };
        // Rounding makes sizes that fit alternate with ones that do not: from n on, all must fit.
        let n = Math.ceil((minimum + purge + embargo + 2) / Math.min(...split.ratios));
        while (fits(n - 1)) n--;
        return n;
      },
    };
  },
});
