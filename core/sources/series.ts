import { fred } from './fred.ts';
import type { SeriesColumn } from '../bars/series.ts';
import { newsSentiment } from './news-sentiment.ts';
import type { SeriesDescriptor } from './series-source.ts';

/** The catalogue of sources that deliver series, by name; those that deliver bars: index.ts. */
export const seriesSources: ReadonlyMap<string, SeriesDescriptor> = new Map(
  [fred, newsSentiment].map((source) => [source.name, source as SeriesDescriptor]),
);

/** The columns that a dataset adds to bars; undefined where it delivers bars. Its params were checked when it was read. */
export function seriesColumnsOf(dataset: {
  readonly source: string;
  readonly params: unknown;
}): readonly SeriesColumn[] | undefined {
  const descriptor = seriesSources.get(dataset.source);
  return descriptor?.columns(descriptor.params.parse(dataset.params));
}

/** Does a dataset give old values as they were revised later? Its params were checked when it was read. */
export function restatesHistory(dataset: {
  readonly source: string;
  readonly params: unknown;
}): boolean {
  const descriptor = seriesSources.get(dataset.source);
  return descriptor?.restates?.(descriptor.params.parse(dataset.params)) ?? false;
}
