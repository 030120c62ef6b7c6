import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';

/** A free port of the loopback address. Another process may take it first: callers try again. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        resolve(address !== null && typeof address === 'object' ? address.port : 0),
      );
    });
  });
}

export interface ServerProcess {
  /** Everything it wrote so far. */
  output(): string;
  exited(): boolean;
  /** Ends it at once and waits for its end; its folder stays. */
  kill(): Promise<void>;
}

export interface ServerOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Removed when the parent ends. */
  readonly folder?: string;
  /** It has children in groups of their own, which only it can end: it is asked first, and has 5 s for it. */
  readonly endsItself?: boolean;
}

/**
 * Ends with its parent: a shell waits for the end of its stdin, which comes when this process dies
 * for whatever reason (kill -9 included), kills the server and, unless told to keep it, removes its
 * folder.
 */
const WITH_PARENT = `folder=$1; asked=$2; shift 2
exec 3<&0 </dev/null
set -m # the server gets a process group, which its children are in
"$@" 3<&- & server=$!
set +m
( keep=; while read -r line; do keep=$line; done <&3
  if [ -n "$asked" ]; then
    kill -TERM $server; for _ in {1..50}; do kill -0 -- -$server || break; sleep 0.1; done
  fi 2>/dev/null
  kill -9 -- -$server 2>/dev/null
  if [ -z "$keep" ] && [ -n "$folder" ]; then sleep 0.2; rm -rf "$folder"; fi ) >/dev/null 2>&1 &
exec 3<&-
wait $server`;

/** Starts a server that never outlives this process. */
export function startServer(
  command: string,
  args: readonly string[],
  options: ServerOptions = {},
): ServerProcess {
  const { folder = '', endsItself = false, ...spawnOptions } = options;
  const own = ['server', folder, endsItself ? 'asked' : ''];
  const child = spawn('bash', ['-c', WITH_PARENT, ...own, command, ...args], {
    ...spawnOptions,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-20_000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      output += String(error);
      resolve();
    });
  });
  unrefAll(child);
  return {
    output: () => output,
    exited: () => child.exitCode !== null || child.signalCode !== null,
    async kill() {
      child.ref();
      child.stdin.end('keep\n');
      await ended;
    },
  };
}

/** A server must not keep the test process from ending. */
function unrefAll(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    (stream as unknown as { unref?: () => void } | null)?.unref?.();
  }
}

/** Asks `probe` until it is true; fails with what the server said when it ended or never answers. */
export async function untilReady(
  server: ServerProcess,
  what: string,
  probe: () => Promise<boolean>,
  limitMs = 60_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    if (server.exited()) throw new Error(`${what} ended at its start:\n${server.output()}`);
    if (await probe().catch(() => false)) return;
    if (performance.now() > end) {
      await server.kill();
      throw new Error(`${what} was not ready in time:\n${server.output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
