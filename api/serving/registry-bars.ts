import type { NamedDataset } from '../../activities/deps.ts';
import { seriesSource } from '../../registry/collections.ts';
import type { Db } from '../../registry/in-transaction.ts';
import {
  deliveredSource,
  deliveryState,
  readServedBars,
  shapeOf,
  type ServedSource,
} from '../../registry/served-bars.ts';
import type { BarsReader, Series } from './bars-store.ts';

/**
 * Bars from the registry's tables: those of the datasets that the version was trained on. A dataset that
 * the operator took away is left out; what it delivered before is no longer his data.
 */
export function registryBars(db: Db, datasets: ReadonlyMap<string, NamedDataset>): BarsReader {
  const keyOf = (series: Series, dataset: string): Promise<string | undefined> | string => {
    const known = datasets.get(dataset);
    if (known) return seriesSource(known);
    if (!dataset.startsWith('upload:')) return Promise.resolve(undefined);
    return deliveredSource(db, dataset, series.instrument, series.timeframe);
  };
  const sourcesOf = async (series: Series): Promise<ServedSource[]> => {
    const found: ServedSource[] = [];
    for (const { dataset, role } of series.sources) {
      const source = await keyOf(series, dataset);
      if (source === undefined) continue;
      const known = datasets.get(dataset);
      found.push({ dataset, role, source, ...(known && shapeOf(known)) });
    }
    return found;
  };
  return {
    read: async (series, range) =>
      readServedBars(db, series.instrument, series.timeframe, await sourcesOf(series), range),
    state: (series) => deliveryState(db, series.instrument, series.timeframe),
  };
}
