/** A proxy that lets the server do what it was asked and then, now and then, loses the answer. */
import { createServer, request } from 'node:http';

export interface ReplyDropper {
  readonly url: string;
  /** Answers lost so far. */
  dropped(): number;
  /** From now on every answer arrives. */
  calm(): void;
  close(): Promise<void>;
}

/** A generator of [0, 1): mulberry32, so that a run is repeated by its seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Forwards to `target`; the share `dropShare` of the answers is lost after the server gave them. */
export async function startReplyDropper(
  target: string,
  dropShare: number,
  seed: number,
): Promise<ReplyDropper> {
  const { hostname, port } = new URL(target);
  const random = seeded(seed);
  let share = dropShare;
  let dropped = 0;
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const upstream = request({ hostname, port, method, path: url, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        if (random() < share) {
          dropped++;
          incoming.socket.destroy();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.end(Buffer.concat(chunks));
      });
    });
    upstream.on('error', () => incoming.socket.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    url: `http://127.0.0.1:${own}`,
    dropped: () => dropped,
    calm: () => {
      share = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
