import type { NamedDataset } from '../../activities/deps.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { overlapStart } from '../../registry/bars.ts';
import {
  deliveryState,
  readServedBars,
  servedSourcesOf,
  type ServedSource,
} from '../../registry/served-bars.ts';
import type { BarsReader, Series } from './bars-store.ts';

/**
 * Where the newest `last` bars begin at the latest (ms UTC), so that a long history is not read for its end; undefined: no
 * source has so many.
 */
async function startOfNewest(
  db: Db,
  { instrument, timeframe }: Series,
  sources: readonly ServedSource[],
  last: number,
): Promise<number | undefined> {
  const ofBars = sources.filter(({ columns }) => !columns);
  const starts = await Promise.all(
    ofBars.map(({ source }) => overlapStart(db, { instrument, timeframe, source }, last + 1)),
  );
  const known = starts.filter((start) => start !== undefined);
  // The source that begins latest has `last` bars from there on, and merged there are no fewer.
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Bars from the registry's tables: those of the datasets that the version was trained on. */
export function registryBars(db: Db, datasets: ReadonlyMap<string, NamedDataset>): BarsReader {
  return {
    read: async (series, range) => {
      const sources = await servedSourcesOf(db, datasets, series);
      const { instrument, timeframe } = series;
      const newest = range.before === undefined && range.since === undefined;
      const since = newest ? await startOfNewest(db, series, sources, range.last) : range.since;
      return readServedBars(db, instrument, timeframe, sources, { ...range, since });
    },
    state: (series) => deliveryState(db, series.instrument, series.timeframe),
  };
}
