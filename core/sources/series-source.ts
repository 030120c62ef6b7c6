import type { z } from 'zod';
import type { Timeframe } from '../bars/bars.ts';
import type { SeriesColumn, SeriesPoint } from '../bars/series.ts';
import type { SourceContext } from './source.ts';

/** What is asked of a series source. `from` (inclusive) and `to` (exclusive), ms UTC of publication. */
export interface SeriesRequest {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly from: number;
  readonly to: number;
}

export interface SeriesPage {
  /** Points by quantity, in any order; a revised period has a point a vintage. */
  readonly points: Readonly<Record<string, readonly SeriesPoint[]>>;
  /** Oddities met while reading, in words. */
  readonly notes?: readonly string[];
}

export interface SeriesSource {
  isAvailable(ctx: SourceContext): Promise<boolean>;
  fetchSeries(request: SeriesRequest, ctx: SourceContext): AsyncIterable<SeriesPage>;
}

/**
 * A plug-in for what is no bar: macro series, sentiment of news. It gives values with the times from which on they can be
 * used, and they become columns `dataset.column` of the bars of whoever names it with `role: exogenous`.
 */
export interface SeriesDescriptor<P extends z.ZodType = z.ZodType> {
  readonly delivers: 'series';
  readonly name: string;
  readonly docs: string;
  readonly params: P;
  /** Columns it adds with these parameters. */
  columns(params: z.infer<P>): readonly SeriesColumn[];
  /**
   * Repeated before the newest stored value (ms): absent, each delivery is the whole history. For events that only grow
   * in number.
   */
  readonly overlapMs?: number;
  /** True: its old values are those of today, later revisions included, whatever was known then. Absent: they never are. */
  restates?(params: z.infer<P>): boolean;
  load(): Promise<{ create(params: z.infer<P>): SeriesSource }>;
}

export function defineSeries<P extends z.ZodType>(
  source: Omit<SeriesDescriptor<P>, 'delivers'>,
): SeriesDescriptor<P> {
  return Object.freeze({ ...source, delivers: 'series' as const });
}
