import { labelStatistics } from '../../core/features/fitted-on.ts';
import type { Prepared, Scalers } from '../../core/features/prepared.ts';
import { fitScaler } from '../../core/scaling/index.ts';
import { plantedPrepared } from './planted-prepared.ts';

/** Instruments of the pool. */
export const IDS = ['CALM', 'WILD'];

/** A planted pool: in the second half labels lie 50 times as far apart, and mean something else by level. */
export function pool(per: 'unit' | 'instrument'): Prepared {
  const one = plantedPrepared({ rows: 900, features: 4, lookback: 3, horizons: [1], signal: 0.5 });
  const rows = one.openTime.length;
  const twice = (values: Float64Array) => Float64Array.from([...values, ...values]);
  const both = (part: Int32Array) => Int32Array.from([...part, ...part.map((row) => row + rows)]);
  const wilder = one.labels.map((y) => 50 * y + 3);
  const labels = Float64Array.from([...one.labels, ...wilder]);
  const split = {
    train: both(one.split.train),
    valid: both(one.split.valid),
    test: both(one.split.test),
  };
  const features = twice(one.features);
  const width = one.featureNames.length;
  const scalersOf = (train: Int32Array): Scalers => ({
    features: fitScaler('standard', features, width, train),
    labels: fitScaler('standard', labels, 1, train, { clip: false }),
  });
  const ranges = IDS.map((id, i) => ({ id, from: i * rows, to: (i + 1) * rows }));
  return {
    ...one,
    instruments: ranges,
    openTime: twice(one.openTime),
    close: twice(one.close),
    features,
    labels,
    split,
    scalers: scalersOf(split.train),
    ...labelStatistics(labels, 1, split.train),
    byInstrument: ranges.map(({ from, to }) => {
      const own = split.train.filter((row) => row >= from && row < to);
      return {
        ...labelStatistics(labels, 1, own),
        ...(per === 'instrument' && { scalers: scalersOf(own) }),
      };
    }),
  };
}
