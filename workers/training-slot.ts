import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Log, Trainer, TrainingCallbacks, TrainingJob } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import { environmentOf } from '../infra/config.ts';
import { isOutOfMemory } from './out-of-memory.ts';
import {
  encodeFrame,
  FrameReader,
  type Frame,
  type FromChild,
  type ToChild,
} from './training-frames.ts';

/** Enough for a stack trace and what a native library says before it gives up. */
const STDERR_TAIL_CHARS = 4000;
/** What Node prints of an error that nobody caught; the code that threw it, and the way there, stand around it. */
const UNCAUGHT = /^(?:Uncaught )?\w*Error\b.{0,300}/m;
/** What a child needs of our environment; keys of databases and stores stay here. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'NODE_OPTIONS', 'LANG'];
/** One core a child: two of them train twice as much in an hour as one on two cores (NATIVE.md). */
const ONE_THREAD = {
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  OMP_NUM_THREADS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
  // With one thread that computes, further heaps of the C library only hold memory that nobody uses.
  MALLOC_ARENA_MAX: '1',
};
/** Megabytes of V8's young generation: what a step leaves behind is small, and grown to its default it holds dozens. */
const YOUNG_HEAP = '--max-semi-space-size=2';
/**
 * V8 would collect on four threads, which spin while they wait for one another: where every core has a child, they take
 * from the others up to a quarter of what a short training costs, and a child alone ends no later without them.
 */
const ONE_COLLECTOR = '--single-threaded-gc';
/**
 * Bytes of code that a function runs before V8 compiles it anew, more than four times its default: half of what it would compile
 * is used for the start alone, on another core than the child's own.
 */
const COMPILE_LATER = '--interrupt-budget=300000';

/** How often a job tells its activity that it lives; far more often than a heartbeat time-out. */
const ALIVE_INTERVAL_MS = 1000;
/**
 * A child says something every second, but not while it loads TensorFlow from a cold disk or is inside
 * one large batch. Longer than this no honest call takes.
 */
const SILENCE_LIMIT_MS = 5 * 60_000;

/** The child ended without a result: killed, crashed, or out of memory. Trying again can help. */
export class TrainingProcessError extends RatchetError {}

export interface TrainerOptions {
  readonly log: Pick<Log, 'debug'>;
  /** Default: the environment of this process. A child gets the few variables it needs of it. */
  readonly environment?: NodeJS.ProcessEnv;
  /** A child that says nothing for so long hangs and is killed. Default: five minutes. */
  readonly silenceLimitMs?: number;
  /** Told about each child; for tests that kill one. */
  readonly onStart?: (pid: number) => void;
}

/** Trains each job in a child of its own. */
export function createTrainer(options: TrainerOptions): Trainer {
  return {
    async train(job, callbacks, signal) {
      signal.throwIfAborted();
      const child = startChild(options.environment);
      if (child.pid !== undefined) options.onStart?.(child.pid);
      options.log.debug({ pid: child.pid, family: job.family, seed: job.seed }, 'training child');
      // SIGKILL, because native code does not look at a polite signal before its call ends.
      const kill = (): void => void child.kill('SIGKILL');
      signal.addEventListener('abort', kill, { once: true });
      try {
        return await new Conversation(child, callbacks, options.silenceLimitMs).run(job);
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        signal.removeEventListener('abort', kill);
        kill();
      }
    },
  };
}

function startChild(environment: NodeJS.ProcessEnv | undefined): ChildProcess {
  const typescript = import.meta.url.endsWith('.ts');
  const script = new URL(typescript ? './train-process.ts' : './train-process.js', import.meta.url);
  const loader = typescript ? ['--import', import.meta.resolve('tsx')] : [];
  return spawn(
    process.execPath,
    [YOUNG_HEAP, ONE_COLLECTOR, COMPILE_LATER, ...loader, fileURLToPath(script)],
    {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      env: { ...environmentOf(PASSED_ON, environment), ...ONE_THREAD },
    },
  );
}

/** One job with one child, from the first frame to the end of the process. */
class Conversation {
  readonly #child: ChildProcess;
  readonly #callbacks: TrainingCallbacks;
  readonly #silenceLimitMs: number;
  readonly #reader = new FrameReader<FromChild>();
  #stderrTail = '';
  #result: Uint8Array | undefined;
  #error: unknown;

  #heardMs = performance.now();

  constructor(
    child: ChildProcess,
    callbacks: TrainingCallbacks,
    silenceLimitMs = SILENCE_LIMIT_MS,
  ) {
    this.#child = child;
    this.#callbacks = callbacks;
    this.#silenceLimitMs = silenceLimitMs;
  }

  /** The encoded fit bundle; throws what the child failed with, or how it died. */
  async run(job: TrainingJob): Promise<Uint8Array> {
    const ended = this.#untilClosed();
    const { family, params, seed, multiplyByClose, twin, prepared, checkpoint, parent } = job;
    const { members = [] } = job;
    const sizes = {
      preparedBytes: prepared.length,
      checkpointBytes: checkpoint?.length ?? 0,
      parentBytes: parent?.length ?? 0,
      members: members.map(({ bundle, ...member }) => ({ ...member, bytes: bundle.length })),
    };
    const bundles = members.map(({ bundle }) => bundle);
    const others = [checkpoint, parent, ...bundles].filter((bytes) => bytes !== undefined);
    const payload = others.length > 0 ? Buffer.concat([prepared, ...others]) : prepared;
    this.#send({ type: 'job', family, params, seed, multiplyByClose, twin, ...sizes }, payload);
    const watch = setInterval(() => this.#watch(), ALIVE_INTERVAL_MS);
    const { exitCode, signal } = await ended.finally(() => clearInterval(watch));
    if (this.#error !== undefined) throw this.#error;
    if (this.#result) return this.#result;
    throw this.#deathError(exitCode, signal);
  }

  /** Resolves once the process has ended and everything it wrote was read. */
  #untilClosed(): Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }> {
    const child = this.#child;
    const channel = child.stdio[3] as Readable;
    // A child that died closes its pipes under our writes; how it died is told by `close`.
    child.stdin!.on('error', () => {});
    channel.on('error', () => {});
    channel.on('data', (chunk: Buffer) => this.#receive(chunk));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_CHARS);
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    });
  }

  /** The process runs (its end would have been told); does it also get anywhere? */
  #watch(): void {
    const silentMs = performance.now() - this.#heardMs;
    if (silentMs < this.#silenceLimitMs) {
      this.#callbacks.onAlive?.();
      return;
    }
    const message = `the training process said nothing for ${Math.round(silentMs / 1000)} s`;
    const details = { silentMs, stderrTail: this.#stderrTail };
    const options = { permanent: false, details };
    this.#fail(new TrainingProcessError('training.process-hung', message, options));
  }

  #receive(chunk: Buffer): void {
    this.#heardMs = performance.now();
    try {
      for (const frame of this.#reader.push(chunk)) this.#handle(frame);
    } catch (error) {
      this.#fail(error);
    }
  }

  #handle({ message, payload }: Frame<FromChild>): void {
    if (this.#error !== undefined) return;
    switch (message.type) {
      case 'alive':
        // Heard; the watch tells the activity.
        return;
      case 'batch':
        this.#callbacks.onBatch(message.at);
        return;
      case 'epoch':
        this.#callbacks.onEpoch(message.event);
        return;
      case 'checkpoint':
        // The child has one checkpoint under way at a time, so they become durable in order.
        this.#callbacks.onCheckpoint(payload, message.at).then(
          () => this.#send({ type: 'durable', id: message.id }),
          (error: unknown) => this.#fail(error),
        );
        return;
      case 'done':
        this.#result = payload;
        // It has nothing left to say, and TensorFlow takes its time to take itself down.
        this.#child.kill('SIGKILL');
        return;
      case 'failed': {
        const { code, message: text, permanent, details } = message;
        this.#error = new RatchetError(code, text, { permanent, details });
      }
    }
  }

  /** Ends the child; `run` throws this error. */
  #fail(error: unknown): void {
    this.#error ??= error;
    this.#child.kill('SIGKILL');
  }

  #send(message: ToChild, payload?: Uint8Array): void {
    const stdin = this.#child.stdin as Writable;
    for (const piece of encodeFrame(message, payload)) stdin.write(piece);
  }

  #deathError(exitCode: number | null, signal: NodeJS.Signals | null): TrainingProcessError {
    const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
    const details = { exitCode, signal, stderrTail: this.#stderrTail };
    if (isOutOfMemory(this.#stderrTail)) {
      return new TrainingProcessError(
        'training.out-of-memory',
        `the training process ran out of memory (ended ${how}): ` +
          'use a smaller hyperparameters.batchSize or network, or give the machine more',
        { permanent: false, details },
      );
    }
    const hint = signal === 'SIGKILL' ? ' (the kernel does that when memory runs out)' : '';
    const uncaught = UNCAUGHT.exec(this.#stderrTail)?.[0];
    const why = uncaught === undefined ? '' : `: ${uncaught}`;
    return new TrainingProcessError(
      'training.process-died',
      `the training process ended ${how}${hint} before it was done${why}`,
      { permanent: false, details },
    );
  }
}
