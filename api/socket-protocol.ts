import type { Context } from 'hono';
import type { Env } from './secure.ts';
import type { Upgrade } from './upgrade.ts';

/** The subprotocol of events over a WebSocket; the only one that is ever agreed to. */
export const EVENTS_PROTOCOL = 'ratchet.events.v1';
/** A page cannot give a WebSocket headers: this and its key stand among the subprotocols, and are never sent back. */
const KEY_PROTOCOL = 'ratchet.key.';

/** The subprotocol to send back of those offered; not the first one, which may be the key. */
export const chosenProtocol = (offered: ReadonlySet<string>): string | false =>
  offered.has(EVENTS_PROTOCOL) ? EVENTS_PROTOCOL : false;

/** What an Authorization header would say, from `Sec-WebSocket-Protocol`. */
export function credentialOf(protocols: string | undefined): string | undefined {
  const key = protocols
    ?.split(',')
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(KEY_PROTOCOL));
  return key === undefined ? undefined : `Bearer ${key.slice(KEY_PROTOCOL.length)}`;
}

/** There where a request asks for a WebSocket. */
export const upgradeOf = (c: Context<Env>): Upgrade | undefined =>
  // `app.request()` in tests gives no bindings at all.
  (c.env as Env['Bindings'] | undefined)?.upgrade;
