/**
 * Clients of an HTTP server in a process of their own: each has one connection and sends one prepared request after the other.
 * Sockets without an HTTP library, because it shares the machine with the server that it measures.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';

export interface Load {
  /** Of 127.0.0.1; clients are spread over them. */
  readonly ports: readonly number[];
  readonly clients: number;
  readonly seconds: number;
  /** The whole HTTP/1.1 request. */
  readonly request: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers with another status than 200. */
  readonly failed: number;
  /** Of the last answer. */
  readonly body: string;
}

/** A POST of JSON on a connection that is kept. */
export function jsonRequest(
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): string {
  const lines = Object.entries({
    host: '127.0.0.1',
    ...headers,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}`);
  return [`POST ${path} HTTP/1.1`, ...lines, '', body].join('\r\n');
}

export interface LoadGenerator {
  run(load: Load): Promise<LoadResult>;
  close(): void;
}

/** Starts the process that loads come from. */
export function openLoadGenerator(): LoadGenerator {
  const child: ChildProcess = fork(import.meta.filename, ['clients'], {
    execArgv: ['--import', 'tsx'],
  });
  return {
    run: (load) =>
      new Promise((resolve, reject) => {
        const ended = (): void => reject(new Error('the load generator ended'));
        child.once('exit', ended);
        child.once('message', (message) => {
          child.off('exit', ended);
          resolve(message as LoadResult);
        });
        child.send(load);
      }),
    close: () => child.disconnect(),
  };
}

interface Tally {
  readonly times: number[];
  failed: number;
  body: string;
}

const HEAD_END = '\r\n\r\n';
const OK = 'HTTP/1.1 200';
const LENGTH = /\r\ncontent-length: *(\d+)/i;

/** Sends the request again and again until `until`; resolves once its last answer is there. */
function client(port: number, request: Buffer, until: number, tally: Tally): Promise<void> {
  return new Promise((resolve, reject) => {
    let from = 0;
    /** What of an answer is there, where it came in several parts. */
    let held: Buffer | undefined;
    const read = (length: number, chunk: Uint8Array): boolean => {
      const part = Buffer.from(chunk.buffer, chunk.byteOffset, length);
      const bytes = held ? Buffer.concat([held, part]) : part;
      const end = bytes.indexOf(HEAD_END);
      const head = end < 0 ? '' : bytes.toString('latin1', 0, end);
      const size = end + HEAD_END.length + Number(LENGTH.exec(head)?.[1] ?? Number.NaN);
      if (end >= 0 && Number.isNaN(size)) socket.destroy(new Error(`no content-length:\n${head}`));
      if (end < 0 || bytes.length < size) {
        held = Buffer.from(bytes);
        return true;
      }
      held = undefined;
      const now = performance.now();
      tally.times.push(now - from);
      if (!head.startsWith(OK)) tally.failed++;
      if (now < until) {
        from = now;
        socket.write(request);
      } else {
        tally.body = bytes.toString('utf8', end + HEAD_END.length, size);
        socket.end();
      }
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafe(64 * 1024), callback: read };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread }, () => {
      from = performance.now();
      socket.write(request);
    });
    socket.on('error', reject).on('close', () => resolve());
  });
}

async function loaded({ ports, clients, seconds, request }: Load): Promise<LoadResult> {
  const tally: Tally = { times: [], failed: 0, body: '' };
  const bytes = Buffer.from(request);
  const from = performance.now();
  const until = from + seconds * 1_000;
  await Promise.all(
    Array.from({ length: clients }, (_, n) =>
      client(ports[n % ports.length]!, bytes, until, tally),
    ),
  );
  const spent = performance.now() - from;
  const sorted = Float64Array.from(tally.times).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return {
    requests: sorted.length,
    requestsPerSecond: (1_000 * sorted.length) / spent,
    ...{ p50Ms: at(0.5), p99Ms: at(0.99), failed: tally.failed, body: tally.body },
  };
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'clients') {
  process.on('message', (load) => {
    loaded(load as Load).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
