import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import { ApiError, HTTP } from './errors.ts';
import type { ApiParts } from './parts.ts';
import { Places } from './places.ts';
import type { Env } from './secure.ts';

/** Rows read at once. */
const PAGE = 500;
/** Events come a few times a second at most; a stream looks for new ones this often. */
const POLL_MS = 500;
/** A comment this often keeps proxies and clients from giving up on a quiet stream. */
const KEEP_ALIVE_MS = 15_000;
/** Who reads is asked for again this often: a stream outlives no key by more. */
const RECHECK_MS = 15_000;
/** Streams open at once on one process, and of one key; each polls the database. */
const MAX_STREAMS = 200;
export const MAX_STREAMS_PER_KEY = 16;

export interface EventRow {
  readonly seq: string;
  readonly kind: string;
}

/** Append-only rows of something that ends. */
export interface EventSource<R extends EventRow> {
  /** Has it ended? Asked before rows are read: what ended it is then among them. */
  readonly ended: () => Promise<boolean>;
  readonly read: (after: string, limit: number) => Promise<readonly R[]>;
  readonly view: (row: R) => object;
}

export interface EventsAsked<R extends EventRow> {
  readonly source: EventSource<R>;
  /** `seq` of the last event that the reader has. */
  readonly after: string;
  /** Throws once the caller may no longer read. */
  readonly stillAllowed: () => Promise<unknown>;
}

type EventParts = Pick<ApiParts, 'stopping' | 'log' | 'clock' | 'streams'>;

/**
 * Rows after `after`: as a stream until the source has ended where the caller wants one, else one page. Throws
 * `stream.too-many` (of the key) and `stream.none-free`.
 */
export async function eventsAnswer<R extends EventRow>(
  parts: EventParts,
  c: Context<Env>,
  asked: EventsAsked<R>,
): Promise<Response> {
  if (!(c.req.header('accept')?.includes('text/event-stream') ?? false)) {
    const { source, after } = asked;
    const isOver = await source.ended();
    const rows = await source.read(after, PAGE);
    return c.json({ items: rows.map(source.view), ended: isOver && rows.length < PAGE }, HTTP.ok);
  }
  const leave = parts.streams.take(c.var.caller.keyId);
  const { requestId } = c.var;
  const path = c.req.path;
  return streamSSE(c, async (stream) => {
    try {
      await streamEvents(parts, stream, asked);
    } catch (error) {
      // It ends here; who comes back with `Last-Event-ID` misses nothing, or hears that the key is no longer good.
      parts.log.warn({ err: error, requestId, path }, 'a stream of events broke off');
    } finally {
      leave();
    }
  });
}

/**
 * Sends rows after `after` as they come until the source has ended, the reader went away, or this process stops. Throws
 * what `stillAllowed` throws.
 */
async function streamEvents<R extends EventRow>(
  { stopping, clock }: Pick<EventParts, 'stopping' | 'clock'>,
  stream: Pick<SSEStreamingApi, 'aborted' | 'writeSSE' | 'write'>,
  { source, after, stillAllowed }: EventsAsked<R>,
): Promise<void> {
  let quietMs = 0;
  let askedAt = clock();
  const isOver = (): boolean => stream.aborted || stopping.aborted;
  for await (const rows of pagesOf(source, after, isOver)) {
    // Before what was read is sent: also of one who reads slowly.
    if (clock() - askedAt >= RECHECK_MS) {
      await stillAllowed();
      askedAt = clock();
    }
    for (const row of rows) {
      const data = JSON.stringify(source.view(row));
      await stream.writeSSE({ data, event: row.kind, id: row.seq });
    }
    quietMs = rows.length > 0 ? 0 : quietMs + POLL_MS;
    if (quietMs >= KEEP_ALIVE_MS) {
      await stream.write(': still here\n\n');
      quietMs = 0;
    }
  }
}

/**
 * Rows after `after` as they come, at most `PAGE` at once and none read before those before them were taken, until
 * the source has ended or nobody wants more. An empty page: a look that found nothing.
 */
export async function* pagesOf<R extends EventRow>(
  { ended, read }: EventSource<R>,
  after: string,
  isOver: () => boolean,
): AsyncGenerator<readonly R[]> {
  let last = after;
  while (!isOver()) {
    const hasEnded = await ended();
    const rows = await read(last, PAGE);
    last = rows.at(-1)?.seq ?? last;
    yield rows;
    if (rows.length === PAGE) continue;
    if (hasEnded) return;
    await pause(POLL_MS);
  }
}

/** Places for streams of one process, whatever they tell of. */
export const streamPlaces = (): Places =>
  new Places({
    ...{ all: MAX_STREAMS, ofKey: MAX_STREAMS_PER_KEY },
    keyIsFull: (own) => {
      const text = `This key has ${own} streams of events open; close one of them first.`;
      return new ApiError('too-many-requests', 'stream.too-many', text, { retryAfterS: 5 });
    },
    allAreTaken: () => {
      const text = 'This server has as many streams of events open as it may.';
      return new ApiError('unavailable', 'stream.none-free', text, { retryAfterS: 5 });
    },
  });
