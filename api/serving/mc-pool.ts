import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { RatchetError } from '../../core/errors.ts';
import type { MonteCarloOpener, MonteCarloShape } from '../../core/predict/mc.ts';
import { ApiError } from '../errors.ts';
import type { McCommand, McReply } from './mc-thread.ts';

/** Sampling requests that may wait: 200 take some 2 s of the thread. */
const MAX_WAITING = 200;

/** Each holds its own copy of every graph. */
const MAX_THREADS = Math.min(2, availableParallelism());

type Command<C = McCommand> = C extends McCommand ? Omit<C, 'id'> : never;

interface Pending {
  readonly resolve: (values: Float64Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** A worker thread that samples, and what is asked of it. */
class McThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #onReply: () => void;
  /** Graphs that are open there. */
  readonly graphs = new Set<number>();
  #next = 1;

  constructor(parts: {
    readonly onReply: () => void;
    readonly onLost: (thread: McThread) => void;
  }) {
    this.#onReply = parts.onReply;
    this.#worker = startThread();
    this.#worker.unref();
    this.#worker.on('message', (reply: McReply) => this.#answered(reply));
    this.#worker.on('error', () => parts.onLost(this));
    this.#worker.on('exit', () => parts.onLost(this));
  }

  get waiting(): number {
    return this.#pending.size;
  }

  ask(command: Command): Promise<Float64Array | undefined> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ ...command, id } as McCommand);
    });
  }

  async open(graph: number, { bytes, shape }: Graph): Promise<void> {
    await this.ask({ kind: 'open', graph, bytes, shape });
    this.graphs.add(graph);
  }

  #answered(reply: McReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.ok) pending?.resolve(reply.values);
    else pending?.reject(new RatchetError('onnx.run', reply.message, { permanent: false }));
    this.#onReply();
  }

  /** All that waits fails: callers fall back. */
  fail(): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) {
      reject(new RatchetError('onnx.thread', 'the sampling thread ended', { permanent: false }));
    }
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

interface Graph {
  readonly bytes: Uint8Array;
  readonly shape: MonteCarloShape;
}

/**
 * Monte-Carlo sampling in worker threads, so that it never holds up other predictions: in one, and in a second one once
 * somebody waits for the first. A thread that dies is replaced, and the graphs that were open are opened again.
 */
export class McPool {
  #threads: readonly McThread[] = [];
  readonly #graphs = new Map<number, Graph>();
  /** Samples that nobody waits for: one at a time, while nothing else is asked of the threads. */
  readonly #background: (() => void)[] = [];
  #next = 1;
  #isGrowing = false;
  #closed = false;

  /** Opens verified bytes for sampling. */
  readonly open: MonteCarloOpener = async (bytes, shape) => {
    const graph = this.#next++;
    this.#graphs.set(graph, { bytes, shape });
    try {
      const [first, ...others] = this.#running();
      await Promise.all([first!, ...others].map((thread) => thread.open(graph, { bytes, shape })));
    } catch (error) {
      this.#graphs.delete(graph);
      throw error;
    }
    return {
      sample: async ({ background = false, ...request }) => {
        const draw = () => this.#threadFor(graph).ask({ kind: 'sample', graph, ...request });
        const waiting = background ? this.#background.length : this.#waiting;
        if (waiting >= MAX_WAITING) throw overloaded();
        const values = await (background ? this.#later(draw) : draw());
        return values ?? new Float64Array(0);
      },
      release: async () => {
        this.#graphs.delete(graph);
        const open = this.#threads.filter((thread) => thread.graphs.delete(graph));
        await Promise.all(open.map((thread) => thread.ask({ kind: 'release', graph })));
      },
    };
  };

  get #waiting(): number {
    return this.#threads.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Does it once the threads have nothing else to do. */
  #later<T>(draw: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#background.push(() => {
        try {
          void draw().then(resolve, reject);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
      this.#giveWay();
    });
  }

  #giveWay(): void {
    if (this.#waiting === 0) this.#background.shift()?.();
  }

  /** The threads there are; one begins where there is none. */
  #running(): readonly McThread[] {
    if (this.#closed) throw new RatchetError('onnx.closed', 'serving has stopped');
    if (this.#threads.length === 0) this.#threads = [this.#start()];
    return this.#threads;
  }

  /** The thread with the graph that has least to do; where all have something, another one begins for those to come. */
  #threadFor(graph: number): McThread {
    const threads = this.#running();
    const open = threads.filter(({ graphs }) => graphs.has(graph));
    const [freest = threads[0]!] = open.toSorted((a, b) => a.waiting - b.waiting);
    if (freest.waiting > 0 && threads.length < MAX_THREADS) void this.#grow();
    return freest;
  }

  async #grow(): Promise<void> {
    if (this.#isGrowing) return;
    this.#isGrowing = true;
    const thread = this.#start();
    try {
      await Promise.all([...this.#graphs].map(([id, graph]) => thread.open(id, graph)));
      // A graph that was opened meanwhile is not known there: it samples elsewhere.
      for (const id of [...thread.graphs].filter((known) => !this.#graphs.has(known))) {
        thread.graphs.delete(id);
        await thread.ask({ kind: 'release', graph: id });
      }
      if (!this.#closed) this.#threads = [...this.#threads, thread];
      else await thread.terminate();
    } catch {
      // The others go on; the next one that waits tries again.
      await thread.terminate();
    } finally {
      this.#isGrowing = false;
    }
  }

  #start(): McThread {
    return new McThread({
      onReply: () => this.#giveWay(),
      onLost: (thread) => this.#lost(thread),
    });
  }

  /** All that waited there fails; the graphs open again in a new thread where it was the only one. */
  #lost(thread: McThread): void {
    thread.fail();
    if (!this.#threads.includes(thread)) return;
    this.#threads = this.#threads.filter((other) => other !== thread);
    if (this.#threads.length === 0 && !this.#closed) {
      const [next] = this.#running();
      for (const [id, graph] of this.#graphs) next!.open(id, graph).catch(() => undefined);
    }
    // They are refused, or begin once the graphs are open again.
    for (const begin of this.#background.splice(0)) begin();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#threads;
    this.#threads = [];
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** Built code starts directly; TypeScript sources (tests) need their loader inside the thread too. */
function startThread(): Worker {
  if (!import.meta.filename.endsWith('.ts')) {
    return new Worker(new URL('./mc-thread.js', import.meta.url));
  }
  const loader = import.meta.resolve('tsx/esm/api');
  const thread = new URL('./mc-thread.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(loader)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(thread)});
  });`;
  return new Worker(code, { eval: true });
}

const overloaded = (): ApiError =>
  new ApiError(
    'unavailable',
    'predict.overloaded',
    'Too many Monte-Carlo predictions wait; ask with confidence: none, or later.',
    { retryAfterS: 2 },
  );
