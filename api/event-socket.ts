import type { WebSocket } from 'ws';
import { RatchetError } from '../core/errors.ts';
import { pagesOf, type EventRow, type EventSource } from './event-stream.ts';
import type { ApiParts } from './parts.ts';

/** Why a WebSocket of events is closed (RFC 6455, 7.4.1). */
export const CLOSE = {
  /** What it tells of has ended, and every event was sent. */
  ended: 1000,
  /** This process stops: open it again, after the last event seen. */
  stopping: 1001,
  /** The reader sent something, or its key is no longer good. */
  refused: 1008,
  /** Events cannot be read now: open it again, after the last event seen. */
  broken: 1011,
} as const;

/** Times in ms. */
export interface SocketPace {
  /** A ping this often; who has not answered it by the next is gone, or does not read what it is sent. */
  readonly heartbeat: number;
  /** A reader gets this long to answer a close. */
  readonly close: number;
  /** The same when this process stops. */
  readonly stop: number;
}

const PACE: SocketPace = { heartbeat: 15_000, close: 2_000, stop: 300 };
/** Answers to pings that a reader may leave lying unread. */
const MAX_UNREAD_BYTES = 16 * 1024;

interface EventsOverSocket<R extends EventRow> extends Pick<ApiParts, 'stopping' | 'log'> {
  readonly source: EventSource<R>;
  /** `seq` of the last event that the reader has. */
  readonly after: string;
  /** Throws once the caller may no longer read; asked at each ping. */
  readonly stillAllowed: () => Promise<unknown>;
  readonly requestId: string;
  readonly pace?: SocketPace;
}

/**
 * Sends events as `{"id", "event", "data"}`, one a text frame, until what they tell of has ended; then it closes. One
 * frame at a time: the next is made once the system has taken the last, so that a slow reader holds no memory here.
 */
export async function serveEvents<R extends EventRow>(
  socket: WebSocket,
  options: EventsOverSocket<R>,
): Promise<void> {
  const { source, after, stopping, log, requestId, pace = PACE } = options;
  const close = closer(socket, pace);
  const stop = (): void => close(CLOSE.stopping, 'stopping', pace.stop);
  const endHeartbeat = startHeartbeat(socket, { ...options, pace, close });
  socket.on('message', () => close(CLOSE.refused, 'message.refused'));
  // What the reader broke of the protocol closes the socket by itself.
  socket.on('error', (error) => log.debug({ err: error, requestId }, 'a WebSocket failed'));
  socket.on('ping', (data: Buffer) => {
    if (socket.bufferedAmount > MAX_UNREAD_BYTES) socket.terminate();
    else if (socket.readyState === socket.OPEN) socket.pong(data);
  });
  stopping.addEventListener('abort', stop, { once: true });
  socket.once('close', () => {
    endHeartbeat();
    stopping.removeEventListener('abort', stop);
  });
  if (stopping.aborted) stop();
  const isOver = (): boolean => socket.readyState !== socket.OPEN;
  try {
    for await (const rows of pagesOf(source, after, isOver)) {
      for (const row of rows) {
        const data = source.view(row);
        await send(socket, JSON.stringify({ id: row.seq, event: row.kind, data }));
      }
    }
    close(CLOSE.ended, 'ended');
  } catch (error) {
    // A reader that went away in the middle of a frame is no fault of ours.
    if (isOver()) return;
    log.warn({ err: error, requestId }, 'a WebSocket of events broke off');
    close(CLOSE.broken, 'broken');
  }
}

type Close = (code: number, reason: string, waitMs?: number) => void;

/** Closes once; who does not answer in time is cut off. */
function closer(socket: WebSocket, pace: SocketPace): Close {
  return (code, reason, waitMs = pace.close) => {
    // Of what is closed no answer comes that would end the wait.
    if (socket.readyState === socket.CLOSED) return;
    if (socket.readyState === socket.OPEN) socket.close(code, reason);
    const timer = setTimeout(() => socket.terminate(), waitMs);
    socket.once('close', () => clearTimeout(timer));
  };
}

/** Pings, and asks whether the caller may still read. What it returns ends both. */
function startHeartbeat(
  socket: WebSocket,
  {
    stillAllowed,
    pace,
    close,
  }: Pick<EventsOverSocket<EventRow>, 'stillAllowed'> & {
    readonly pace: SocketPace;
    readonly close: Close;
  },
): () => void {
  let isAnswered = true;
  socket.on('pong', () => (isAnswered = true));
  const timer = setInterval(() => {
    if (!isAnswered) return socket.terminate();
    isAnswered = false;
    if (socket.readyState === socket.OPEN) socket.ping();
    stillAllowed().catch((error: unknown) => {
      close(CLOSE.refused, error instanceof RatchetError ? error.code : 'key.invalid');
    });
  }, pace.heartbeat);
  return () => clearInterval(timer);
}

const send = (socket: WebSocket, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
