import type { SeriesPoint } from '../core/bars/series.ts';
import { SourceError } from '../core/sources/errors.ts';
import { addNewRows, type CollectionKey } from '../registry/collections.ts';
import { inTransaction } from '../registry/in-transaction.ts';
import { appendPoints, summarizePoints } from '../registry/series.ts';
import type { Delivered } from './deliver.ts';
import type { ActivityDeps } from './deps.ts';
import type { OpenedSeries, OpenedSource } from './source-of.ts';

/** 1885-01-01: no calendar here begins earlier. */
const EARLIEST_MS = Date.UTC(1885, 0, 1);
/** A source that never stops paging is broken. */
const MAX_PAGES = 10_000;

/** What an open dataset delivers. */
export const isSeries = (opened: OpenedSource | OpenedSeries): opened is OpenedSeries =>
  'delivers' in opened.descriptor;

export interface SeriesDelivery {
  readonly deps: Pick<ActivityDeps, 'db' | 'clock'>;
  readonly opened: OpenedSeries;
  readonly series: CollectionKey;
  readonly collectionId: string;
  readonly signal: AbortSignal;
  /** Called after each page: the source is alive. `kept`: its values are stored. */
  readonly onPage: (kept: boolean) => void;
  readonly onFetched: () => void;
}

/**
 * Asks a series source for what it has and stores it, each page as it comes: what is stored says when it became known, so a
 * part of a history is a history with less in it. Events are asked for from shortly before the newest stored one.
 * Errors: those of the source; `source.pages`, `source.values`.
 */
export async function deliverSeries(delivery: SeriesDelivery): Promise<Delivered | 'unavailable'> {
  const { deps, opened, series, signal } = delivery;
  const { dataset, descriptor, context } = opened;
  const { create } = await descriptor.load();
  const source = create(descriptor.params.parse(dataset.params));
  const ctx = context(signal);
  if (!(await source.isAvailable(ctx))) return 'unavailable';
  const { newest } = await summarizePoints(deps.db, series);
  const { overlapMs } = descriptor;
  const from =
    newest === undefined || overlapMs === undefined
      ? EARLIEST_MS
      : Math.max(EARLIEST_MS, newest - overlapMs);
  const { instrument, timeframe } = series;
  const notes: string[] = [];
  let [pages, added] = [0, 0];
  for await (const page of source.fetchSeries(
    { instrument, timeframe, from, to: deps.clock() },
    ctx,
  )) {
    signal.throwIfAborted();
    if (++pages > MAX_PAGES) {
      throw new SourceError('source.pages', `dataset ${series.dataset} gave ${MAX_PAGES} pages`);
    }
    requireNumbers(page.points, series.dataset);
    const stored = await store(delivery, page.points);
    added += stored;
    notes.push(...(page.notes ?? []));
    delivery.onPage(stored > 0);
  }
  delivery.onFetched();
  const { rows } = await summarizePoints(deps.db, series);
  const news = newest === undefined ? [] : [`${added} values are new or revised`];
  return { rows, notes: [...notes, ...news] };
}

function store(
  { deps, series, collectionId }: SeriesDelivery,
  points: Readonly<Record<string, readonly SeriesPoint[]>>,
): Promise<number> {
  return inTransaction(deps.db, async (trx) => {
    const arrival = { collectionId, arrivedAt: deps.clock() };
    const added = await appendPoints(trx, series, points, arrival);
    await addNewRows(trx, collectionId, added);
    return added;
  });
}

function requireNumbers(
  points: Readonly<Record<string, readonly SeriesPoint[]>>,
  dataset: string,
): void {
  for (const [quantity, list] of Object.entries(points)) {
    for (const { time, knownAt, value } of list) {
      if ([time, knownAt, value].every(Number.isFinite)) continue;
      throw new SourceError(
        'source.values',
        `dataset ${dataset} gave a ${quantity} without number`,
      );
    }
  }
}
