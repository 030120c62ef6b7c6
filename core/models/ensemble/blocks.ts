import { RatchetError } from '../../errors.ts';
import type { Samples } from '../model.ts';

/** Places of samples: what is learnt from, and what is forecast without having been learnt from. */
export interface ForecastBlock {
  readonly learn: Int32Array;
  readonly forecast: Int32Array;
}

/** Fewest samples that a member of a block may learn from; fewest forecasts that weights are learnt from. */
export const LEARN_MIN = 30;

/** The samples at these places. */
export function pick(samples: Samples, places: Int32Array): Samples {
  const h = samples.horizons.length;
  const labels = new Float64Array(places.length * h);
  places.forEach((place, i) =>
    labels.set(samples.labels.subarray(place * h, (place + 1) * h), i * h),
  );
  return { ...samples, endRow: places.map((place) => samples.endRow[place]!), labels };
}

/**
 * Parts the time of the samples into `folds` + 1 blocks with equally many decision times; each but the oldest is forecast
 * by what was known before it: samples whose longest label had ended before the block's first bar opens. Nothing is
 * learnt from what comes later. A label reaches as many rows ahead as its horizon is bars, at most: rows are bars.
 * Throws `training.no-samples` where a block has too few to learn from.
 */
export function forecastBlocks(samples: Samples, folds: number): ForecastBlock[] {
  const { endRow, horizons, openTime, features, featureCount } = samples;
  const last = features.length / featureCount - 1;
  const timeOf = (row: number): number => openTime?.[Math.min(row, last)] ?? row;
  const longest = Math.max(...horizons);
  const times = [...new Set(Array.from(endRow, timeOf))].toSorted((a, b) => a - b);
  const borderAt = (block: number): number =>
    times[Math.floor((block * times.length) / (folds + 1))] ?? Infinity;
  const places = (keep: (row: number) => boolean): Int32Array =>
    Int32Array.from([...endRow.keys()].filter((i) => keep(endRow[i]!)));
  return Array.from({ length: folds }, (_, i): ForecastBlock => {
    const [from, to] = [borderAt(i + 1), i + 1 === folds ? Infinity : borderAt(i + 2)];
    const learn = places((row) => timeOf(row + longest) < from);
    if (learn.length < LEARN_MIN) {
      throw new RatchetError(
        'training.no-samples',
        `stacking: ${learn.length} training samples end before block ${i + 1}, at least ` +
          `${LEARN_MIN} are needed: lower hyperparameters.folds, or take a longer range`,
        { details: { block: i + 1, samples: learn.length, minimum: LEARN_MIN } },
      );
    }
    return { learn, forecast: places((row) => timeOf(row) >= from && timeOf(row) < to) };
  });
}

/**
 * What is left of the blocks for somebody who knows labels up to `through` (ms UTC): samples whose bar opens later are
 * forecast, the others would be remembered. What members learn from stays; blocks without a forecast are gone.
 */
export function forecastAfter(
  blocks: readonly ForecastBlock[],
  { endRow, openTime }: Samples,
  through: number,
): ForecastBlock[] {
  return blocks
    .map(({ learn, forecast }) => ({
      learn,
      // Rows without a time cannot be shown to be new.
      forecast: forecast.filter((place) => (openTime?.[endRow[place]!] ?? -Infinity) > through),
    }))
    .filter(({ forecast }) => forecast.length > 0);
}
