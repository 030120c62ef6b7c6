import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Log } from '../activities/deps.ts';
import { ApiError, problemBody, statusOf } from './errors.ts';
import { Places } from './places.ts';
import { newRequestId } from './request-guard.ts';
import type { App } from './secure.ts';
import { chosenProtocol } from './socket-protocol.ts';

/** WebSockets open at once on one process, and of one key; each polls the database. */
const MAX_SOCKETS = 200;
export const MAX_SOCKETS_PER_KEY = 16;
/** Readers have nothing to say but pings and their close. */
const MAX_FRAME_BYTES = 1_024;
const MAX_FRAGMENTS = 8;
const MAX_BUFFERED_CHUNKS = 64;

type Serve = (socket: WebSocket) => void;

/** What a request to open a WebSocket brings to the route that it names. */
export interface Upgrade {
  /** Has the WebSocket opened and given to `serve`; throws where too many are open, of this key or of all. */
  accept(keyId: string, serve: Serve): void;
}

/**
 * Opens WebSockets on the routes of `app` that take them. The request to open one goes through the app like any
 * other: host, origin, key, scope and model are checked there, and refusals are its problems. Whatever else asks for
 * an upgrade, such as clients that try HTTP/2 first, is answered as if it had not.
 */
export function takeUpgrades(server: Server, app: Pick<App, 'fetch'>, log: Log): void {
  const places = socketPlaces();
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Whoever pings and reads no answer would fill the memory.
    autoPong: false,
    maxPayload: MAX_FRAME_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    handleProtocols: chosenProtocol,
  });
  server.on('upgrade', (request, socket, head) => {
    if (request.method !== 'GET' || request.headers.upgrade?.toLowerCase() !== 'websocket') {
      answerPlainly(server, request, socket, head);
      return;
    }
    // It may be gone before it is answered.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    asked(app, request, places)
      .then(({ serve, leave, refusal }) => {
        socket.once('close', leave);
        if (socket.destroyed) leave();
        else if (refusal) socket.end(refusal);
        else {
          sockets.handleUpgrade(request, socket, head, (opened) => {
            socket.off('error', ignore);
            serve?.(opened);
          });
        }
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'a WebSocket could not be opened');
        socket.destroy();
      });
  });
}

/** Answers a request as if it had not asked for an upgrade, and its connection goes on. */
function answerPlainly(
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (!UPGRADE_HEADERS.test(name)) lines.push(`${name}: ${rawHeaders[i + 1]!}`);
  }
  // Node has taken its parser off the connection and cannot give it back: the request is read once more.
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

const UPGRADE_HEADERS = /^(connection|upgrade|http2-settings)$/i;

interface Asked {
  readonly serve?: Serve;
  /** Gives the place back; safe to call again. */
  readonly leave: () => void;
  /** An HTTP answer as it goes over the wire. */
  readonly refusal?: Buffer;
}

/** Asks the route. */
async function asked(
  app: Pick<App, 'fetch'>,
  request: IncomingMessage,
  places: Places,
): Promise<Asked> {
  let serve: Serve | undefined;
  let leave = (): void => undefined;
  const upgrade: Upgrade = {
    accept: (keyId, given) => {
      leave = places.take(keyId);
      serve = given;
    },
  };
  const response = await app.fetch(fetchRequest(request), { incoming: request, upgrade });
  if (serve && response.ok) return { serve, leave };
  return { leave, refusal: await refusalOf(response) };
}

function fetchRequest({ url = '/', headers: given }: IncomingMessage): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) headers.append(name, String(value));
  // Whose server this is, is told by the header `host` alone.
  return new Request(url.startsWith('/') ? `http://host.invalid${url}` : url, { headers });
}

async function refusalOf(response: Response): Promise<Buffer> {
  const refused = response.ok ? await noSocketHere(response) : response;
  const body = Buffer.from(await refused.arrayBuffer());
  const head = [`HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? ''}`];
  for (const [name, value] of refused.headers) {
    if (name !== 'content-length' && name !== 'connection') head.push(`${name}: ${value}`);
  }
  head.push(`content-length: ${body.length}`, 'connection: close');
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

/** Of a route that answers, and has no WebSocket. */
async function noSocketHere(answer: Response): Promise<Response> {
  await answer.body?.cancel();
  const text = 'There is no WebSocket here: routes that end in /events have one.';
  const problem = new ApiError('bad-request', 'request.no-socket', text);
  const requestId = answer.headers.get('x-request-id') ?? newRequestId();
  return new Response(JSON.stringify(problemBody(problem, requestId)), {
    status: statusOf(problem.kind),
    headers: { 'content-type': 'application/problem+json', 'x-request-id': requestId },
  });
}

const socketPlaces = (): Places =>
  new Places({
    ...{ all: MAX_SOCKETS, ofKey: MAX_SOCKETS_PER_KEY },
    keyIsFull: (own) => {
      const text = `This key has ${own} WebSockets open; close one of them first.`;
      return new ApiError('too-many-requests', 'socket.too-many', text, { retryAfterS: 5 });
    },
    allAreTaken: () => {
      const text = 'This server has as many WebSockets open as it may.';
      return new ApiError('unavailable', 'socket.none-free', text, { retryAfterS: 5 });
    },
  });
