import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import { HTTP } from './errors.ts';
import type { ApiParts } from './parts.ts';
import type { Env } from './secure.ts';

/** Rows read at once. */
const PAGE = 500;
/** Events come a few times a second at most; a stream looks for new ones this often. */
const POLL_MS = 500;
/** A comment this often keeps proxies and clients from giving up on a quiet stream. */
const KEEP_ALIVE_MS = 15_000;
/** Streams open at once on one process; each polls the database. */
const MAX_STREAMS = 200;

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

/**
 * Rows after `after`: as a stream until the source has ended where the caller wants one and a place is free, else one page.
 */
export async function eventsAnswer<R extends EventRow>(
  parts: Pick<ApiParts, 'stopping' | 'log'>,
  c: Context<Env>,
  places: StreamPlaces,
  { source, after }: { readonly source: EventSource<R>; readonly after: string },
): Promise<Response> {
  const wantsStream = c.req.header('accept')?.includes('text/event-stream') ?? false;
  const leave = wantsStream ? places.take() : undefined;
  if (!leave) {
    const isOver = await source.ended();
    const rows = await source.read(after, PAGE);
    return c.json({ items: rows.map(source.view), ended: isOver && rows.length < PAGE }, HTTP.ok);
  }
  const { requestId } = c.var;
  const path = c.req.path;
  return streamSSE(c, async (stream) => {
    try {
      await streamEvents(parts, stream, source, after);
    } catch (error) {
      // It ends here; who comes back with `Last-Event-ID` misses nothing.
      parts.log.warn({ err: error, requestId, path }, 'a stream of events broke off');
    } finally {
      leave();
    }
  });
}

/** Sends rows after `after` as they come until the source has ended, the reader went away, or this process stops. */
async function streamEvents<R extends EventRow>(
  { stopping }: Pick<ApiParts, 'stopping'>,
  stream: Pick<SSEStreamingApi, 'aborted' | 'writeSSE' | 'write'>,
  source: EventSource<R>,
  after: string,
): Promise<void> {
  let quietMs = 0;
  const isOver = (): boolean => stream.aborted || stopping.aborted;
  for await (const rows of pagesOf(source, after, isOver)) {
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

/** Places for streams of one process. */
export class StreamPlaces {
  #taken = 0;

  /** Undefined: all are taken, and a page has to do. */
  take(): (() => void) | undefined {
    if (this.#taken >= MAX_STREAMS) return undefined;
    this.#taken++;
    let held = true;
    return () => {
      if (held) this.#taken--;
      held = false;
    };
  }
}
