import { z } from 'zod';
import { share } from './chronological.ts';
import { defineSplit, minimumRows, purgeBars, purgeSchema, type SampleShape } from './split.ts';
import { type DecisionTimes, type FoldTimes, keptAfter, keptBefore, range } from './times.ts';

const schema = z.strictObject({
  kind: z.literal('purgedKFold'),
  folds: z.int().min(2).max(20).default(5).describe('Test parts; together they are all samples.'),
  validShare: z
    .number()
    .min(0.05)
    .max(0.5)
    .default(0.15)
    .describe(
      "Share of a fold's other samples, the newest of them, that choose epoch and penalty.",
    ),
  purge: purgeSchema,
  embargo: z
    .union([z.enum(['auto', 'strict']), z.int().min(0).max(5000)])
    .default('auto')
    .describe(
      'Rows left out after the test part; auto: the longest horizon, at least 1 % of all; strict: until no feature of a later row has seen a bar of a test label.',
    ),
});

type Settings = z.output<typeof schema>;

/**
 * Rows between a test part and the training rows after it. Formula: auto `max(h, ceil(0.01 n))`, strict `h + reach`
 * (Lopez de Prado, Advances in Financial Machine Learning, 2018, ch. 7). A number may be smaller than the labels of the
 * test part reach: rows in between are purged all the same.
 */
function embargoAfter({ embargo }: Settings, { horizons, reachBars }: SampleShape, n: number) {
  const longest = Math.max(...horizons);
  if (embargo === 'auto') return Math.max(longest, Math.ceil(0.01 * n));
  return embargo === 'strict' ? longest + reachBars : embargo;
}

/** Border k of n times in `folds` parts that differ by one at most. */
const borderOf = (k: number, folds: number, n: number): number => Math.floor((k * n) / folds);

/**
 * What is left of the other samples beside one test part, parted once more in order of time: the newest validate,
 * all before train. So no row is trained on that lies after a validation row, in any fold, whichever side of the test
 * part it comes from, and the choice of an epoch is made the way it will be made live: on what came later.
 */
function foldAt(times: DecisionTimes, split: Settings, shape: SampleShape, k: number): FoldTimes {
  const n = times.time.length;
  const purge = purgeBars(split, shape);
  const test = range(borderOf(k, split.folds, n), borderOf(k + 1, split.folds, n));
  const from = test[0] ?? 0;
  const to = from + test.length;
  const others = [
    ...keptBefore(times, 0, from, purge),
    ...keptAfter(times, test, to, embargoAfter(split, shape, n)),
  ];
  const valid = others.slice(others.length - share(split.validShare, others.length));
  const border = valid[0] ?? 0;
  const before = new Set(keptBefore(times, 0, border, purge));
  return { train: others.filter((at) => before.has(at)), valid, test };
}

/** Sizes of the parts of fold k of n times without holes. */
function sizesAt(n: number, split: Settings, shape: SampleShape, k: number): number[] {
  const purge = purgeBars(split, shape);
  const [from, to] = [borderOf(k, split.folds, n), borderOf(k + 1, split.folds, n)];
  const before = Math.max(0, from - purge);
  const firstAfter = to + Math.max(...shape.horizons, embargoAfter(split, shape, n));
  const others = before + Math.max(0, n - firstAfter);
  const valid = share(split.validShare, others);
  // Where validation begins, on which side of the test part.
  const place = others - valid;
  const train =
    place < before ? Math.max(0, place - purge) : before + Math.max(0, place - before - purge);
  return [train, valid, to - from];
}

export const purgedKFold = defineSplit({
  name: 'purgedKFold',
  docs:
    'Every sample is tested once: the parts of the time are test parts in turn, and all else is learnt from, but what ' +
    'a label or the embargo touches. The newest of the other samples validate. Figures are of all test parts ' +
    'together; folds but the newest have trained on later bars than they are tested on, so only the newest counts ' +
    "against a champion. The newest fold's fit is served, or its refit.",
  schema,
  retrainsAsItIs: false,
  bind: (split) => ({
    // Its embargo keeps what is learnt after a test part away from it.
    embargoAhead: 0,
    cut: (times, shape) => range(0, split.folds).map((k) => foldAt(times, split, shape, k)),
    /** All there is, or all that the newest fold may see. */
    refit(times, shape, part) {
      const n = times.time.length;
      if (part === 'all') return range(0, n);
      return keptBefore(
        times,
        0,
        borderOf(split.folds - 1, split.folds, n),
        purgeBars(split, shape),
      );
    },
    minimumSamples(shape) {
      const minimum = minimumRows(shape);
      const fits = (n: number): boolean =>
        range(0, split.folds).every((k) => Math.min(...sizesAt(n, split, shape, k)) >= minimum);
      let n = split.folds * minimum;
      while (!fits(n)) n *= 2;
      // Rounding makes sizes that fit alternate with ones that do not: from n on, all must fit.
      n *= 2;
      while (fits(n - 1)) n--;
      return n;
    },
  }),
});
