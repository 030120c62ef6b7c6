import { barCount, type Bars } from '../core/bars/bars.ts';
import type { FactorRow } from '../core/bars/adjust.ts';
import { concatBars, emptyBars } from '../core/bars/build.ts';
import { dropProvisional } from '../core/bars/provisional.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { RatchetError } from '../core/errors.ts';
import { compareVintages } from '../core/quality/index.ts';
import { SourceError } from '../core/sources/errors.ts';
import { sourceOrThrow } from '../core/sources/index.ts';
import type { SourceDescriptor } from '../core/sources/source.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { appendBars, appendFactors, readBarsAsOf } from '../registry/bars.ts';
import {
  findFreshCollection,
  finishCollection,
  recordNewRows,
  seriesSource,
  seriesState,
  startCollection,
  type CollectionKey,
} from '../registry/collections.ts';
import { inTransaction } from '../registry/in-transaction.ts';
import type { ActivityDeps } from './deps.ts';
import { openSource, type OpenedSource } from './source-of.ts';

/** Time a source has to deliver an instrument (row A10 of the mission). */
export const SOURCE_TIMEOUT_MS = 30_000;
/** 1885-01-01: no calendar here begins earlier; a source gives what it has from then on. */
const EARLIEST_MS = Date.UTC(1885, 0, 1);
/** A source that never stops paging is broken. */
const MAX_PAGES = 10_000;

type Use = ExperimentSpec['data']['sources'][number];

/** What one source had to say for an instrument. */
export interface Gathered {
  readonly use: Use;
  readonly status: 'delivered' | 'empty' | 'failed' | 'timeout' | 'unavailable';
  /** Names the stored series and its state; absent where the source did not answer. */
  readonly series?: CollectionKey;
  readonly state?: string;
  readonly calendar?: string;
  readonly reused: boolean;
  readonly rows: number;
  readonly notes: readonly string[];
  readonly error?: RatchetError;
}

export interface GatherRequest {
  readonly use: Use;
  readonly instrument: string;
  readonly timeframe: Bars['timeframe'];
  readonly recollect: boolean;
  /** Cancels the fetch. */
  readonly signal: AbortSignal;
  /** Default SOURCE_TIMEOUT_MS. */
  readonly timeoutMs?: number;
}

/**
 * Brings the stored bars of one source up to date, unless they are fresh, and records how that went.
 * Never throws for what the source did: its failure must not fail the others. A dataset that does not
 * exist is the spec's mistake and throws.
 */
export async function gatherSource(deps: ActivityDeps, request: GatherRequest): Promise<Gathered> {
  const { use, instrument, timeframe } = request;
  const opened = await openSource(deps, use.dataset);
  const { dataset } = opened;
  const series: CollectionKey = {
    dataset: dataset.name,
    source: seriesSource(dataset),
    instrument,
    timeframe,
  };
  const answered = { use, series, calendar: dataset.calendar };
  if (!request.recollect) {
    const fresh = await findFreshCollection(deps.db, series, deps.clock());
    if (fresh) {
      const status = fresh.status === 'empty' ? 'empty' : 'delivered';
      const state = await seriesState(deps.db, series);
      return { ...answered, state, status, reused: true, rows: fresh.rows, notes: fresh.notes };
    }
  }
  const id = await startCollection(deps.db, series, use.role, deps.clock());
  const outcome = await attempt(deps, opened, series, id, request);
  await finishCollection(deps.db, id, {
    ...outcome,
    error: outcome.error?.message,
    finishedAt: deps.clock(),
  });
  const state = outcome.error ? undefined : await seriesState(deps.db, series);
  return { ...answered, ...outcome, ...(state !== undefined && { state }), reused: false };
}

interface Outcome {
  readonly status: Gathered['status'];
  readonly rows: number;
  readonly notes: readonly string[];
  readonly error?: RatchetError;
}

async function attempt(
  deps: ActivityDeps,
  opened: OpenedSource,
  series: CollectionKey,
  collectionId: string,
  request: GatherRequest,
): Promise<Outcome> {
  const none = { rows: 0, notes: [] };
  const timeoutMs = request.timeoutMs ?? SOURCE_TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([request.signal, timeout]);
  try {
    const delivery = await until(signal, deliver(opened, series, request, deps.clock, signal));
    if (delivery === 'unavailable') {
      const message = `source of dataset ${series.dataset} is not available`;
      const error = new SourceError('source.unavailable', message, { permanent: false });
      return { ...none, status: 'unavailable', error };
    }
    await store(deps, opened, series, collectionId, delivery);
    const rows = barCount(delivery.bars);
    return { status: rows > 0 ? 'delivered' : 'empty', rows, notes: delivery.notes };
  } catch (cause) {
    // A cancel of the whole activity is not the source's failure.
    request.signal.throwIfAborted();
    if (timeout.aborted) {
      const message = `dataset ${series.dataset} did not answer within ${timeoutMs / 1000} s`;
      const error = new SourceError('source.timeout', message, { permanent: false, cause });
      return { ...none, status: 'timeout', error };
    }
    return { ...none, status: 'failed', error: asRatchetError(cause) };
  }
}

/** Rejects when the signal fires, whether or not the work listens to it. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
  // Whichever loses the race must not count as an unhandled rejection.
  aborted.catch(() => undefined);
  work.catch(() => undefined);
  return Promise.race([work, aborted]);
}

interface Delivery {
  readonly bars: Bars;
  readonly factors: readonly FactorRow[];
  readonly notes: readonly string[];
  readonly arrivedAt: number;
}

async function deliver(
  opened: OpenedSource,
  series: CollectionKey,
  request: GatherRequest,
  clock: () => number,
  signal: AbortSignal,
): Promise<Delivery | 'unavailable'> {
  const { dataset } = opened;
  const { instrument, timeframe } = series;
  if (dataset.instruments && !dataset.instruments.includes(instrument)) {
    throw new SourceError(
      'source.instrument',
      `dataset ${dataset.name} has no ${instrument}; it has: ${dataset.instruments.join(', ')}`,
    );
  }
  const descriptor: SourceDescriptor = sourceOrThrow(dataset.source);
  const { create } = await descriptor.load();
  const source = create(descriptor.params.parse(dataset.params));
  const ctx = opened.context(signal);
  if (!(await source.isAvailable(ctx))) return 'unavailable';
  const range = { instrument, timeframe, from: EARLIEST_MS, to: clock() };
  const pages: Bars[] = [];
  const factors: FactorRow[] = [];
  const notes: string[] = [];
  for await (const page of source.fetch(range, undefined, ctx)) {
    request.signal.throwIfAborted();
    if (pages.length >= MAX_PAGES) {
      throw new SourceError('source.pages', `dataset ${dataset.name} gave ${MAX_PAGES} pages`);
    }
    pages.push(page.bars);
    factors.push(...(page.factors ?? []));
    notes.push(...(page.notes ?? []));
  }
  const all = pages.length > 0 ? concatBars(pages) : emptyBars(instrument, timeframe);
  requireOrder(all, dataset.name);
  const arrivedAt = clock();
  const { bars, dropped } = dropProvisional(all, calendarFor(dataset.calendar), arrivedAt);
  if (dropped > 0) notes.push(`${dropped} bars that had not closed yet left out`);
  return { bars, factors, notes, arrivedAt };
}

function requireOrder(bars: Bars, dataset: string): void {
  for (let i = 1; i < barCount(bars); i++) {
    if (bars.openTime[i]! > bars.openTime[i - 1]!) continue;
    throw new SourceError('source.order', `dataset ${dataset} gave bars out of order`);
  }
}

/** Appends a delivery, and notes how many bars and factor rows are new or changed. */
function store(
  deps: ActivityDeps,
  { dataset }: OpenedSource,
  series: CollectionKey,
  collectionId: string,
  { bars, factors, arrivedAt }: Delivery,
): Promise<void> {
  return inTransaction(deps.db, async (trx) => {
    refuseSplice(await readBarsAsOf(trx, series), bars, series.dataset);
    const { added, changed } = await appendBars(trx, series.source, bars, {
      collectionId,
      arrivedAt,
      calendar: calendarFor(dataset.calendar),
      declaredDelayMs: sourceOrThrow(dataset.source).declaredDelayMs,
    });
    const newFactors = await appendFactors(trx, series, factors, arrivedAt);
    await recordNewRows(trx, collectionId, added + changed + newFactors);
  });
}

/**
 * A delivery that begins after the stored history would be appended to it: then the two must be on one
 * scale. One that covers the whole history replaces it (new revisions) and needs no check.
 */
function refuseSplice(stored: Bars, incoming: Bars, dataset: string): void {
  if (barCount(stored) === 0 || barCount(incoming) === 0) return;
  if (incoming.openTime[0]! <= stored.openTime[0]!) return;
  const { kind, ratio, common } = compareVintages(stored, incoming);
  if (kind === 'same') return;
  throw new SourceError(
    'source.splice',
    `dataset ${dataset} delivered only its newer bars, and they do not fit the stored ones ` +
      `(${kind}, ratio ${ratio.toFixed(6)} over ${common} common bars): collect the whole history`,
  );
}

function asRatchetError(cause: unknown): RatchetError {
  if (cause instanceof RatchetError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  // Of an error without a code nothing is known: another try may help.
  return new SourceError('source.failed', message, { permanent: false, cause });
}
