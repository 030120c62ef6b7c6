import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

export interface ReceivedPost {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers one request: a status, or anything else that a server can do. */
export type Reaction =
  number | ((response: ServerResponse, request: IncomingMessage) => void | Promise<void>);

export interface WebhookReceiver {
  readonly url: string;
  readonly port: number;
  readonly posts: readonly ReceivedPost[];
  /** Connections that were ever made to it. */
  readonly connections: () => number;
  /** The next requests get these, one after the other; the last one for ever. */
  react(...reactions: Reaction[]): void;
  close(): Promise<void>;
}

/** A receiver on this machine that keeps what it gets and answers by a script; with TLS where `tls` is given. */
export async function openReceiver(tls?: {
  readonly key: string;
  readonly cert: string;
}): Promise<WebhookReceiver> {
  const posts: ReceivedPost[] = [];
  let script: readonly Reaction[] = [204];
  let connections = 0;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    posts.push({ headers: request.headers, body });
    const reaction = script[0] ?? 204;
    if (script.length > 1) script = script.slice(1);
    if (typeof reaction === 'number') response.writeHead(reaction).end();
    else await reaction(response, request);
  };
  const listener: RequestListener = (request, response) =>
    void take(request, response).catch(() => response.destroy());
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ port, posts, url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}` },
    connections: () => connections,
    react(...reactions) {
      script = reactions;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
