import type { FactorRow } from '../core/bars/adjust.ts';
import { barCount, type Bars } from '../core/bars/bars.ts';
import { concatBars, emptyBars } from '../core/bars/build.ts';
import { dropProvisional } from '../core/bars/provisional.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { compareVintages } from '../core/quality/index.ts';
import { SourceError } from '../core/sources/errors.ts';
import type { BarPage, Source, SourceContext, SourceDescriptor } from '../core/sources/source.ts';
import {
  appendBars,
  appendFactors,
  countBars,
  overlapStart,
  readBarsAsOf,
} from '../registry/bars.ts';
import { addNewRows, type CollectionKey } from '../registry/collections.ts';
import { inTransaction } from '../registry/in-transaction.ts';
import type { ActivityDeps, NamedDataset } from './deps.ts';

/** 1885-01-01: no calendar here begins earlier; a source gives what it has from then on. */
const EARLIEST_MS = Date.UTC(1885, 0, 1);
/** A source that never stops paging is broken. */
const MAX_PAGES = 10_000;
/**
 * Stored bars that increments ask for once more: corrections of the last two days of hourly bars are found, and
 * enough are common to see that the source changed its scale (20 are needed).
 */
const OVERLAP_BARS = 48;
/** Of the repeated bars, what share of steps between two vintages may be corrections of single bars. */
const MAX_CORRECTED = 0.25;

/** An open source and where its bars go. */
export interface Delivery {
  readonly deps: Pick<ActivityDeps, 'db' | 'clock'>;
  readonly dataset: NamedDataset;
  readonly descriptor: SourceDescriptor;
  readonly source: Source;
  readonly ctx: SourceContext;
  readonly series: CollectionKey;
  readonly collectionId: string;
  /** Called after each page: the source is alive. `kept`: its bars are stored. */
  readonly onPage: (kept: boolean) => void;
  /** Called when the source has given all; what follows takes none of its time. */
  readonly onFetched: () => void;
}

export interface Delivered {
  /** Bars that the source has given: of increments with those of earlier deliveries. */
  readonly rows: number;
  readonly notes: readonly string[];
}

/** Asks a source for what it has and stores it. Errors: those of the source; `source.pages`, `.order`, `.splice`. */
export const deliver = (delivery: Delivery): Promise<Delivered> =>
  delivery.descriptor.increments ? deliverIncrements(delivery) : deliverHistory(delivery);

/** The whole history, stored at once: it may be on another scale than the one stored. */
async function deliverHistory(delivery: Delivery): Promise<Delivered> {
  const { instrument, timeframe, dataset } = delivery.series;
  const pages: Bars[] = [];
  const factors: FactorRow[] = [];
  const notes: string[] = [];
  for await (const page of pagesFrom(delivery, EARLIEST_MS)) {
    pages.push(page.bars);
    factors.push(...(page.factors ?? []));
    notes.push(...(page.notes ?? []));
    delivery.onPage(false);
  }
  delivery.ctx.signal.throwIfAborted();
  delivery.onFetched();
  const all = pages.length > 0 ? concatBars(pages) : emptyBars(instrument, timeframe);
  requireOrder(all, dataset);
  const { bars, arrivedAt, note } = closedBars(delivery, all);
  await store(delivery, bars, factors, arrivedAt, true);
  return { rows: barCount(bars), notes: [...notes, ...note] };
}

/**
 * What is newer than the stored bars and a few of those, each page stored as it comes: a crash between two pages leaves
 * a shorter history without a hole, and the next attempt goes on from its end.
 */
async function deliverIncrements(delivery: Delivery): Promise<Delivered> {
  const { deps, series, dataset } = delivery;
  const since = await overlapStart(deps.db, series, OVERLAP_BARS);
  const first = await storePages(delivery, since);
  const fitting =
    first.rescaled === undefined
      ? first
      : // Raw bars on another scale, such as after a redenomination: all of them are new revisions.
        { ...(await storePages(delivery, undefined)), notes: [first.rescaled] };
  delivery.onFetched();
  const rows = await countBars(deps.db, series);
  const news =
    since === undefined
      ? []
      : [`asked for bars since ${new Date(since).toISOString()}: ${fitting.added} are new`];
  const corrected =
    fitting.changed > 0 ? [`${fitting.changed} bars corrected by ${dataset.name}`] : [];
  return { rows, notes: [...fitting.notes, ...news, ...corrected] };
}

interface StoredPages {
  readonly added: number;
  readonly changed: number;
  readonly notes: readonly string[];
  /** The first page does not have the scale of the stored bars: why in words, and nothing was stored. */
  readonly rescaled?: string;
}

async function storePages(delivery: Delivery, since: number | undefined): Promise<StoredPages> {
  const { dataset } = delivery;
  const notes: string[] = [];
  let [added, changed, last] = [0, 0, Number.NEGATIVE_INFINITY];
  let checked = since === undefined;
  for await (const page of pagesFrom(delivery, since ?? EARLIEST_MS)) {
    requireOrder(page.bars, dataset.name, last);
    last = page.bars.openTime.at(-1) ?? last;
    if (!checked && barCount(page.bars) > 0) {
      const rescaled = await rescaling(delivery, page.bars);
      if (rescaled !== undefined) return { added, changed, notes, rescaled };
      checked = true;
    }
    const { bars, arrivedAt, note } = closedBars(delivery, page.bars);
    const stored = await store(delivery, bars, page.factors ?? [], arrivedAt, false);
    added += stored.added;
    changed += stored.changed;
    notes.push(...(page.notes ?? []), ...note);
    delivery.onPage(stored.added > 0);
  }
  return { added, changed, notes };
}

/** Why the stored bars must be replaced; undefined where the incoming ones go on from them. */
async function rescaling({ deps, series }: Delivery, incoming: Bars): Promise<string | undefined> {
  const stored = await readBarsAsOf(deps.db, series, undefined, incoming.openTime[0]);
  const { kind, ratio, common, steps } = compareVintages(stored, incoming);
  if (kind === 'rescaled') {
    return `${series.dataset} changed its scale (old prices = ${ratio.toFixed(6)} x new ones): all history asked for again`;
  }
  if (kind === 'conflict' && steps.length > MAX_CORRECTED * common)
    throw splice(series, kind, ratio, common);
  return undefined;
}

/** The source's pages, at most MAX_PAGES, while nobody cancels. */
async function* pagesFrom(delivery: Delivery, from: number): AsyncGenerator<BarPage> {
  const { source, ctx, series, deps } = delivery;
  const { instrument, timeframe } = series;
  let pages = 0;
  const range = { instrument, timeframe, from, to: deps.clock() };
  for await (const page of source.fetch(range, undefined, ctx)) {
    ctx.signal.throwIfAborted();
    if (++pages > MAX_PAGES) {
      throw new SourceError('source.pages', `dataset ${series.dataset} gave ${MAX_PAGES} pages`);
    }
    yield page;
  }
}

function requireOrder(bars: Bars, dataset: string, after = Number.NEGATIVE_INFINITY): void {
  for (let i = 0; i < barCount(bars); i++) {
    if (bars.openTime[i]! > (i === 0 ? after : bars.openTime[i - 1]!)) continue;
    throw new SourceError('source.order', `dataset ${dataset} gave bars out of order`);
  }
}

/** The bars that had closed when they arrived, which is now. */
function closedBars(
  { deps, dataset }: Delivery,
  all: Bars,
): { readonly bars: Bars; readonly arrivedAt: number; readonly note: readonly string[] } {
  const arrivedAt = deps.clock();
  const { bars, dropped } = dropProvisional(all, calendarFor(dataset.calendar), arrivedAt);
  const note = dropped > 0 ? [`${dropped} bars that had not closed yet left out`] : [];
  return { bars, arrivedAt, note };
}

/** Appends bars and factor rows, and notes how many are new or changed. */
function store(
  { deps, dataset, descriptor, series, collectionId }: Delivery,
  bars: Bars,
  factors: readonly FactorRow[],
  arrivedAt: number,
  whole: boolean,
): Promise<{ readonly added: number; readonly changed: number }> {
  return inTransaction(deps.db, async (trx) => {
    if (whole) refuseSplice(await readBarsAsOf(trx, series), bars, series);
    const { added, changed } = await appendBars(trx, series.source, bars, {
      collectionId,
      arrivedAt,
      calendar: calendarFor(dataset.calendar),
      declaredDelayMs: descriptor.declaredDelayMs,
    });
    const newFactors =
      whole || factors.length > 0 ? await appendFactors(trx, series, factors, arrivedAt) : 0;
    await addNewRows(trx, collectionId, added + changed + newFactors);
    return { added, changed };
  });
}

/**
 * A delivery that begins after the stored history would be appended to it: then the two must be on one
 * scale. One that covers the whole history replaces it (new revisions) and needs no check.
 */
function refuseSplice(stored: Bars, incoming: Bars, series: CollectionKey): void {
  if (barCount(stored) === 0 || barCount(incoming) === 0) return;
  if (incoming.openTime[0]! <= stored.openTime[0]!) return;
  const { kind, ratio, common } = compareVintages(stored, incoming);
  if (kind !== 'same') throw splice(series, kind, ratio, common);
}

const splice = (
  { dataset }: CollectionKey,
  kind: string,
  ratio: number,
  common: number,
): SourceError =>
  new SourceError(
    'source.splice',
    `dataset ${dataset} delivered only its newer bars, and they do not fit the stored ones ` +
      `(${kind}, ratio ${ratio.toFixed(6)} over ${common} common bars): collect the whole history`,
  );
