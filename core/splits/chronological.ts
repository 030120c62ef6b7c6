import {
  type ChronologicalSplit,
  embargoBars,
  minimumRows,
  purgeBars,
  type RefitPart,
} from './split.ts';
import { type DecisionTimes, keptBefore, type PartTimes, range } from './times.ts';

/** Share of n, robust against 0.7 + 0.15 not being 0.85. */
const share = (ratio: number, n: number): number => Math.floor(ratio * n + 1e-9);

/** Oldest part trains, the next validates, the newest tests; shares of the labelled decision times. */
export function chronological(split: ChronologicalSplit) {
  const [trainRatio, validRatio] = split.ratios;
  const borders = (n: number): readonly [number, number] => [
    share(trainRatio, n),
    share(trainRatio + validRatio, n),
  ];
  return {
    cut(times: DecisionTimes, horizons: readonly number[]): PartTimes {
      const purge = purgeBars(split, horizons);
      const embargo = embargoBars(split);
      const n = times.time.length;
      const [validFrom, testFrom] = borders(n);
      return {
        train: keptBefore(times, 0, validFrom, purge),
        valid: keptBefore(times, validFrom + embargo, testFrom, purge),
        test: range(testFrom + embargo, n),
      };
    },
    /** Expanding: from the first sample on. */
    refit(times: DecisionTimes, horizons: readonly number[], part: RefitPart): number[] {
      const n = times.time.length;
      if (part === 'all') return range(0, n);
      return keptBefore(times, 0, borders(n)[1], purgeBars(split, horizons));
    },
    minimumSamples(horizons: readonly number[]): number {
      const purge = purgeBars(split, horizons);
      const embargo = embargoBars(split);
      const minimum = minimumRows(horizons);
      const fits = (n: number): boolean => {
        const [validFrom, testFrom] = borders(n);
        const valid = testFrom - validFrom - purge - embargo;
        return Math.min(validFrom - purge, valid, n - testFrom - embargo) >= minimum;
      };
      // Rounding makes sizes that fit alternate with ones that do not: from n on, all must fit.
      const smallest = Math.min(...split.ratios);
      let n = Math.ceil((minimum + purge + embargo + 2) / smallest);
      while (fits(n - 1)) n--;
      return n;
    },
  };
}
