import { instantsOf, rowTimes, type Instants } from './instants.ts';
import type { NewColumn } from '../spare-columns.ts';
import { checkedSeries, checkSeries, type InstrumentSeries } from './series.ts';

/** A series whose parts fit together, with the instants of its bars. */
export interface PreparedSeries extends InstrumentSeries, Instants {}

/** What all runs over the same bars share, whatever their rules. */
export interface Prepared {
  /** In the order of their ids. */
  readonly series: readonly PreparedSeries[];
  /** Instants of the rows of a run, ms UTC. */
  readonly time: Float64Array;
}

/** Throws what `checkedSeries` throws. `column`: where the instants are put. */
export function prepare(given: readonly InstrumentSeries[], column?: NewColumn): Prepared {
  const series = checkedSeries(given).map((one) => ({
    ...one,
    ...instantsOf(one.bars, one.calendar, column),
  }));
  return { series, time: rowTimes(series.map(({ closeAt }) => closeAt)) };
}

/** The same bars with other targets, of each instrument the same. Throws what `checkedSeries` throws. */
export function retargeted(prepared: Prepared, targets: Float64Array): Prepared {
  const series = prepared.series.map((one) => ({ ...one, targets }));
  series.forEach(checkSeries);
  return { ...prepared, series };
}
