/** One supervised child: started, asked until it is ready, started again when it dies, ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../activities/deps.ts';
import { StackError } from './identity.ts';
import { writePrivate, type Layout } from './layout.ts';
import { groupLives, pause, startedAt, waitUntil, type RunRecord } from './processes.ts';

const GUARD = fileURLToPath(new URL('../guard.mjs', import.meta.url));
const FIRST_BACKOFF_MS = 250;
const LAST_BACKOFF_MS = 30_000;
/** A child that lived this long is thought healthy: its next death starts from the first backoff. */
const HEALTHY_MS = 60_000;
const PROBE_EVERY_MS = 40;
/** A log larger than this is put aside (one generation) when its child starts. */
const LOG_BYTES_MAX = 20 * 1024 * 1024;

export interface ChildSpec {
  readonly name: string;
  /** One word for people, e.g. `PostgreSQL 18`. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** A program that does not end with its parent by itself runs under `guard.mjs`. */
  readonly guarded: boolean;
  /** How it is asked to end, and how long it may take. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT';
  readonly stopMs: number;
  /** Resolves when the child answers; rejects (any error) when it does not yet. */
  readonly probe: () => Promise<unknown>;
  readonly readyMs: number;
  readonly port?: number;
  readonly url?: string;
}

export type ChildState = 'starting' | 'ready' | 'waiting' | 'stopped';

export class Child {
  readonly spec: ChildSpec;
  readonly #layout: Layout;
  readonly #log: Log;
  #process: ChildProcess | undefined;
  #record: RunRecord | undefined;
  #state: ChildState = 'stopped';
  #stopping = false;
  #restarts = 0;
  #backoffMs = FIRST_BACKOFF_MS;

  constructor(spec: ChildSpec, layout: Layout, log: Log) {
    this.spec = spec;
    this.#layout = layout;
    this.#log = log;
  }

  get state(): ChildState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get logFile(): string {
    return join(this.#layout.logs, `${this.spec.name}.log`);
  }

  /** Starts it and waits until it answers; a child that ends meanwhile is an error that says why. */
  async start(): Promise<void> {
    this.#stopping = false;
    const child = this.#spawn();
    await this.#untilReady(child);
  }

  #spawn(): ChildProcess {
    const { spec } = this;
    this.#state = 'starting';
    if ((statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) {
      renameSync(this.logFile, `${this.logFile}.1`);
    }
    // The child writes its log itself: nothing is lost when the supervisor goes.
    const log = openSync(this.logFile, 'a', 0o600);
    const guard = [GUARD, spec.stopSignal, String(spec.stopMs), spec.command, ...spec.args];
    const [command, args] = spec.guarded ? [process.execPath, guard] : [spec.command, spec.args];
    const child = spawn(command, [...args], {
      cwd: spec.cwd,
      env: spec.env,
      // A group of its own: Ctrl-C in the terminal reaches the supervisor only.
      detached: true,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    this.#process = child;
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => this.#log.error({ child: spec.name, error }, 'did not start'));
    child.once('exit', (code, signal) => this.#exited(child, code, signal));
    if (child.pid !== undefined) {
      this.#record = { name: spec.name, pid: child.pid, started: startedAt(child.pid) };
      const file = join(this.#layout.run, `${spec.name}.json`);
      writePrivate(file, JSON.stringify(this.#record));
    }
    return child;
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    const { spec } = this;
    const end = performance.now() + spec.readyMs;
    let last: unknown;
    while (performance.now() < end) {
      if (this.#stopping) throw new StackError('stack.stopped', `${spec.name} was stopped`);
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
        throw new StackError('stack.child-ended', `${spec.title} ended at its start${this.tail()}`);
      }
      try {
        await spec.probe();
        // It may have answered and died since: then the next look says so.
        if (this.#process !== child) continue;
        this.#state = 'ready';
        return;
      } catch (error) {
        last = error;
        await pause(PROBE_EVERY_MS);
      }
    }
    const seconds = Math.round(spec.readyMs / 1000);
    throw new StackError(
      'stack.not-ready',
      `${spec.title} did not answer within ${seconds} s${this.tail()}`,
      { cause: last },
    );
  }

  #exited(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#process !== child) return;
    const wasReady = this.#state === 'ready';
    this.#process = undefined;
    this.#state = 'stopped';
    // A death before it was ready is told by `start`, which decides what comes of it.
    if (this.#stopping || !wasReady) return;
    this.#log.error({ child: this.spec.name, code, signal }, 'child ended; it is started again');
    this.#restartLater();
  }

  #restartLater(): void {
    this.#state = 'waiting';
    const delay = this.#backoffMs;
    this.#backoffMs = Math.min(2 * delay, LAST_BACKOFF_MS);
    setTimeout(() => {
      if (!this.#stopping) void this.#restart();
    }, delay);
  }

  async #restart(): Promise<void> {
    this.#restarts += 1;
    try {
      await this.start();
      this.#log.info({ child: this.spec.name, restarts: this.#restarts }, 'child is ready again');
      const child = this.#process;
      setTimeout(() => {
        if (this.#process === child) this.#backoffMs = FIRST_BACKOFF_MS;
      }, HEALTHY_MS).unref();
    } catch (error) {
      if (this.#stopping) return;
      this.#log.error({ child: this.spec.name, err: error }, 'child did not come back');
      await this.#end();
      if (!this.#stopping) this.#restartLater();
    }
  }

  /** Keeps trying in the background: for a part that the rest does not need. */
  startInBackground(): void {
    this.start().catch((error: unknown) => {
      if (this.#stopping) return;
      this.#log.warn({ child: this.spec.name, err: error }, 'not ready; it is tried again');
      void this.#end().then(() => {
        if (!this.#stopping) this.#restartLater();
      });
    });
  }

  /** Ends it; resolves when nothing of its group is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#end();
    this.#state = 'stopped';
  }

  async #end(): Promise<void> {
    const record = this.#record;
    if (!record) return;
    if (groupLives(record)) {
      this.#process?.kill(this.spec.guarded ? 'SIGTERM' : this.spec.stopSignal);
      if (!(await waitUntil(() => !groupLives(record), this.spec.stopMs))) {
        this.#process?.stdin?.destroy();
        try {
          process.kill(-record.pid, 'SIGKILL');
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
        }
        await waitUntil(() => !groupLives(record), this.spec.stopMs);
      }
    }
    this.#record = undefined;
    rmSync(join(this.#layout.run, `${this.spec.name}.json`), { force: true });
  }

  /** The last lines it wrote, for a message. */
  tail(lines = 6): string {
    try {
      const text = readFileSync(this.logFile, 'utf8').slice(-8_000).trim();
      return `:\n    ${text.split('\n').slice(-lines).join('\n    ')}\n  (all of it: ${this.logFile})`;
    } catch {
      return '';
    }
  }
}
