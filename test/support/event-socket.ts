/** A replica of the API on a real port, and readers of its WebSockets. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { WebSocket, type ClientOptions } from 'ws';
import { takeUpgrades } from '../../api/upgrade.ts';
import { ADMIN, type TestReplica } from './api-fixture.ts';

export interface ListeningApi {
  /** `localhost:PORT`. */
  readonly host: string;
  close(): Promise<void>;
}

export async function listenWith(replica: Pick<TestReplica, 'app' | 'log'>): Promise<ListeningApi> {
  const answer = getRequestListener(replica.app.fetch);
  const server = createServer((request, response) => void answer(request, response));
  takeUpgrades(server, replica.app, replica.log);
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return {
    host: `localhost:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

export interface Frame {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Reader {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  /** Resolves with the code and the reason once it is closed. */
  readonly closed: Promise<readonly [number, string]>;
}

export type ReaderOptions = ClientOptions & { readonly protocols?: readonly string[] };

/** Opens one with the key of the operator where `headers` say no other. */
export function readerOf(url: string, options: ReaderOptions = {}): Reader {
  const { protocols = [], headers = { authorization: `Bearer ${ADMIN}` }, ...rest } = options;
  const socket = new WebSocket(url, [...protocols], { ...rest, headers });
  const frames: Frame[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  const closed = new Promise<readonly [number, string]>((resolve) => {
    socket.on('close', (code, reason) => resolve([code, reason.toString()]));
  });
  socket.on('error', () => undefined);
  return { socket, frames, closed };
}

/** Of one that is not opened: the status, and the code of the problem. */
export async function refusalOf(
  url: string,
  options?: ReaderOptions,
): Promise<readonly [number | undefined, string]> {
  const { socket } = readerOf(url, options);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  const body = (await new Response(await textOf(response)).json()) as { readonly code: string };
  return [response.statusCode, body.code];
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}
