import type { NamedDataset } from '../../activities/deps.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { deliveryState, readServedBars, servedSourcesOf } from '../../registry/served-bars.ts';
import type { BarsReader } from './bars-store.ts';

/** Bars from the registry's tables: those of the datasets that the version was trained on. */
export function registryBars(db: Db, datasets: ReadonlyMap<string, NamedDataset>): BarsReader {
  return {
    read: async (series, range) => {
      const sources = await servedSourcesOf(db, datasets, series);
      return readServedBars(db, series.instrument, series.timeframe, sources, range);
    },
    state: (series) => deliveryState(db, series.instrument, series.timeframe),
  };
}
