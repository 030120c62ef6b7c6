import type { NamedDataset } from '../../activities/deps.ts';
import { seriesSource } from '../../registry/collections.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { deliveryState, readServedBars, type ServedSource } from '../../registry/served-bars.ts';
import type { BarsReader, Series } from './bars-store.ts';

/** Where a spec's dataset name leads: the operator's datasets, and uploads. */
export type DatasetLookup = (name: string) => NamedDataset | undefined;

/** Bars from the registry's tables; a dataset that the operator took away is left out. */
export function registryBars(db: Db, lookup: DatasetLookup): BarsReader {
  const sourcesOf = (series: Series): ServedSource[] =>
    series.sources.flatMap(({ dataset, role }) => {
      const known = lookup(dataset);
      return known ? [{ dataset, role, source: seriesSource(known) }] : [];
    });
  return {
    read: (series, range) =>
      readServedBars(db, series.instrument, series.timeframe, sourcesOf(series), range),
    state: (series) => deliveryState(db, series.instrument, series.timeframe),
  };
}
