import type { Bars } from '../core/bars/bars.ts';
import type { SeriesColumn } from '../core/bars/series.ts';
import { RatchetError } from '../core/errors.ts';
import { SourceError } from '../core/sources/errors.ts';
import { seriesColumnsOf } from '../core/sources/series.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import {
  findFreshCollection,
  finishCollection,
  seriesSource,
  seriesState,
  startCollection,
  wasDelivered,
  type CollectionKey,
} from '../registry/collections.ts';
import { countBars } from '../registry/bars.ts';
import { summarizePoints } from '../registry/series.ts';
import { deliver, type Delivered, type Delivery } from './deliver.ts';
import type { ActivityDeps } from './deps.ts';
import { deliverSeries, isSeries } from './deliver-series.ts';
import { openSeries, openSource, type OpenedSeries, type OpenedSource } from './source-of.ts';

/** Time a source has to deliver an instrument; of one that delivers in increments, each page of it. */
export const SOURCE_TIMEOUT_MS = 30_000;
/** Time for all pages of a source that delivers in increments: an attempt of the activity has ten minutes. */
const INCREMENTS_TIMEOUT_MS = 8 * 60_000;

type Use = ExperimentSpec['data']['sources'][number];

/** What one source had to say for an instrument. */
export interface Gathered {
  readonly use: Use;
  readonly status: 'delivered' | 'empty' | 'failed' | 'timeout' | 'unavailable';
  /** Names the stored series and its state; absent where the source did not answer. */
  readonly series?: CollectionKey;
  readonly state?: string;
  readonly calendar?: string;
  /** Columns that it adds to bars; absent: it gives bars. */
  readonly columns?: readonly SeriesColumn[];
  /** Its bars were made, not traded. */
  readonly simulated: boolean;
  /** Nothing was asked: its bars are fresh. Where it failed with an outage: bars of an earlier delivery are there. */
  readonly reused: boolean;
  /** Bars of the series that the source has given. */
  readonly rows: number;
  readonly notes: readonly string[];
  readonly error?: RatchetError;
  /** Bars were stored, though it may have failed later: the next attempt has less to ask for. */
  readonly progressed?: boolean;
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
  const exogenous = use.role === 'exogenous' ? openSeries(deps, use.dataset) : undefined;
  const opened = exogenous ?? (await openSource(deps, use.dataset));
  const { dataset } = opened;
  const series: CollectionKey = {
    dataset: dataset.name,
    source: seriesSource(dataset),
    instrument,
    timeframe,
  };
  const simulated = !isSeries(opened) && (opened.descriptor.simulated ?? false);
  const columns = seriesColumnsOf(dataset);
  const shape = { calendar: dataset.calendar, simulated, ...(columns && { columns }) };
  const answered = { use, series, ...shape };
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
  if (outcome.error) {
    const before = await earlier(deps, series, outcome, isSeries(opened));
    return { ...answered, ...outcome, ...before };
  }
  return { ...answered, ...outcome, state: await seriesState(deps.db, series), reused: false };
}

/**
 * During an outage the bars that a source delivered before are better than none, and than those of another. Not where it
 * says that they are wrong or not its own.
 */
async function earlier(
  { db }: ActivityDeps,
  series: CollectionKey,
  { error }: Outcome,
  points: boolean,
): Promise<Partial<Gathered> & Pick<Gathered, 'reused'>> {
  const outage = error && (!error.permanent || error.code === 'source.blocked');
  if (!outage || !(await wasDelivered(db, series))) return { reused: false };
  const rows = points ? (await summarizePoints(db, series)).rows : await countBars(db, series);
  const notes = [`${rows} ${points ? 'values' : 'bars'} of earlier deliveries are used`];
  return { reused: true, rows, notes, state: await seriesState(db, series) };
}

interface Outcome {
  readonly status: Gathered['status'];
  readonly rows: number;
  readonly notes: readonly string[];
  readonly error?: RatchetError;
  readonly progressed: boolean;
}

async function attempt(
  deps: ActivityDeps,
  opened: OpenedSource | OpenedSeries,
  series: CollectionKey,
  collectionId: string,
  request: GatherRequest,
): Promise<Outcome> {
  const none = { rows: 0, notes: [] };
  let progressed = false;
  const patience = startPatience(request.timeoutMs ?? SOURCE_TIMEOUT_MS);
  const signal = AbortSignal.any([request.signal, patience.signal]);
  const onPage = (kept: boolean): void => {
    progressed ||= kept;
    if (isSeries(opened) || opened.descriptor.increments) patience.renew();
  };
  const run = { series, collectionId, signal, onPage, onFetched: patience.end };
  try {
    const delivered = await until(signal, deliverFrom(deps, opened, run));
    if (delivered === 'unavailable') {
      const message = opened.dataset.absent ?? `source of ${series.dataset} is not available`;
      const error = new SourceError('source.unavailable', message, { permanent: false });
      return { ...none, status: 'unavailable', error, progressed };
    }
    return { ...delivered, status: delivered.rows > 0 ? 'delivered' : 'empty', progressed };
  } catch (cause) {
    // A cancel of the whole activity is not the source's failure.
    request.signal.throwIfAborted();
    if (!patience.signal.aborted) {
      return { ...none, status: 'failed', error: asRatchetError(cause), progressed };
    }
    const message = `dataset ${series.dataset} did not ${patience.signal.reason}`;
    const error = new SourceError('source.timeout', message, { permanent: false, cause });
    return { ...none, status: 'timeout', error, progressed };
  } finally {
    patience.end();
  }
}

/** Fires after `ms` without a renewal, and after INCREMENTS_TIMEOUT_MS in any case; its reason is what was not done. */
function startPatience(ms: number) {
  const controller = new AbortController();
  const fire = (what: string, after: number): void =>
    controller.abort(`${what} within ${after / 1000} s`);
  const timer = setTimeout(() => fire('answer', ms), ms);
  const all = INCREMENTS_TIMEOUT_MS;
  const longest = setTimeout(() => fire('give all its pages', all), all);
  return {
    signal: controller.signal,
    renew: (): void => void timer.refresh(),
    end: (): void => {
      clearTimeout(timer);
      clearTimeout(longest);
    },
  };
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

async function deliverFrom(
  deps: ActivityDeps,
  opened: OpenedSource | OpenedSeries,
  run: Pick<Delivery, 'series' | 'collectionId' | 'onPage' | 'onFetched'> & {
    readonly signal: AbortSignal;
  },
): Promise<Delivered | 'unavailable'> {
  const { dataset, context } = opened;
  const { instrument } = run.series;
  if (dataset.instruments && !dataset.instruments.includes(instrument)) {
    throw new SourceError(
      'source.instrument',
      `dataset ${dataset.name} has no ${instrument}; it has: ${dataset.instruments.join(', ')}`,
    );
  }
  if (dataset.absent !== undefined) return 'unavailable';
  if (isSeries(opened)) return deliverSeries({ deps, opened, ...run });
  const { descriptor } = opened;
  const { create } = await descriptor.load();
  const source = create(descriptor.params.parse(dataset.params));
  const ctx = context(run.signal);
  if (!(await source.isAvailable(ctx))) return 'unavailable';
  return deliver({ deps, dataset, descriptor, source, ctx, ...run });
}

function asRatchetError(cause: unknown): RatchetError {
  if (cause instanceof RatchetError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  // Of an error without a code nothing is known: another try may help.
  return new SourceError('source.failed', message, { permanent: false, cause });
}
