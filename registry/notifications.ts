import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface ListenOptions {
  readonly signal: AbortSignal;
  readonly log?: { warn(fields: object, message: string): void };
  /** Called after each (re)connection: what was said meanwhile is lost, so look yourself. */
  readonly onConnected?: () => void;
}

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** A connection that died without a word is noticed by a statement that gets no answer. */
const PROBE_EVERY_MS = 15_000;

/**
 * Hears NOTIFY on `channels` through one connection of its own until `signal` aborts; reconnects for
 * ever. A notification is a hint that may be lost: what it hints at is read from the tables, which
 * callers also poll.
 */
export async function listen(
  url: string,
  channels: readonly string[],
  onNotification: (channel: string, payload: string) => void,
  options: ListenOptions,
): Promise<void> {
  let pauseMs = RECONNECT_MIN_MS;
  while (!options.signal.aborted) {
    try {
      await listenOnce(url, channels, onNotification, {
        ...options,
        onConnected() {
          pauseMs = RECONNECT_MIN_MS;
          options.onConnected?.();
        },
      });
    } catch (error) {
      options.log?.warn({ err: error }, 'the connection for notifications was lost');
    }
    await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, RECONNECT_MAX_MS);
  }
}

/** One connection; returns when `signal` aborts, throws when the connection is lost. */
async function listenOnce(
  url: string,
  channels: readonly string[],
  onNotification: (channel: string, payload: string) => void,
  { signal, onConnected }: ListenOptions,
): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'ratchet-listen',
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
    keepAlive: true,
  });
  let probe: NodeJS.Timeout | undefined;
  let stop = (): void => undefined;
  try {
    const lost = new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection ended')));
      stop = resolve;
    });
    // It may be lost while LISTEN is still under way; that call then throws first.
    lost.catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    client.on('notification', ({ channel, payload }) => onNotification(channel, payload ?? ''));
    await client.connect();
    for (const channel of channels)
      await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    if (signal.aborted) return;
    onConnected?.();
    probe = setInterval(
      () => void client.query('SELECT 1').catch((error: Error) => client.emit('error', error)),
      PROBE_EVERY_MS,
    );
    await lost;
  } finally {
    clearInterval(probe);
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => undefined);
  }
}
