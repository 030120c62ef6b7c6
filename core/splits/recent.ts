import { RatchetError } from '../errors.ts';
import { embargoBars, minimumRows, purgeBars, type RecentSplit, type RefitPart } from './split.ts';
import { type DecisionTimes, keptBefore, type PartTimes, range } from './times.ts';

/** The newest decision times test, those before validate, those before train; purged rows come on top. */
export function recent(split: RecentSplit) {
  return {
    cut(times: DecisionTimes, horizons: readonly number[]): PartTimes {
      const purge = purgeBars(split, horizons);
      const embargo = embargoBars(split);
      const n = times.time.length;
      requireLargeParts(split, horizons);
      const testFrom = n - split.testBars;
      const valid = keptBefore(times, 0, testFrom - embargo, purge).slice(-split.validBars);
      const train = keptBefore(times, 0, (valid[0] ?? 0) - embargo, purge).slice(-split.trainBars);
      // A shorter training part than asked for would be another experiment than the one described.
      const complete = train.length === split.trainBars && testFrom >= 0;
      return {
        train: complete ? train : [],
        valid,
        test: range(Math.max(0, testFrom), n),
      };
    },
    /** Rolling: as many as the training part has, the newest of them. */
    refit(times: DecisionTimes, horizons: readonly number[], part: RefitPart): number[] {
      const n = times.time.length;
      const border = n - split.testBars - embargoBars(split);
      const kept =
        part === 'all' ? range(0, n) : keptBefore(times, 0, border, purgeBars(split, horizons));
      return kept.slice(-split.trainBars);
    },
    minimumSamples(horizons: readonly number[]): number {
      const between = purgeBars(split, horizons) + embargoBars(split);
      return split.trainBars + between + split.validBars + between + split.testBars;
    },
  };
}

/** More history would not help a part that is declared too small. */
function requireLargeParts(split: RecentSplit, horizons: readonly number[]): void {
  const minimum = minimumRows(horizons);
  for (const key of ['trainBars', 'validBars', 'testBars'] as const) {
    if (split[key] >= minimum) continue;
    throw new RatchetError(
      'splits.partTooSmall',
      `${key} ${split[key]} is below ${minimum}, the least for horizons up to ${Math.max(...horizons)}`,
      { details: { key, bars: split[key], minimum } },
    );
  }
}
