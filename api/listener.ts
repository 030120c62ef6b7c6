import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { directPredict } from './direct-predict.ts';
import type { ApiParts } from './parts.ts';
import type { App } from './secure.ts';

/** What Node's HTTP server calls with each request. */
export function listenerOf(parts: ApiParts, app: App): RequestListener {
  const framework = getRequestListener(app.fetch);
  // It answers errors itself and never rejects.
  return directPredict(parts, (incoming, outgoing) => void framework(incoming, outgoing));
}
