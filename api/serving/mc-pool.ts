import { Worker } from 'node:worker_threads';
import { RatchetError } from '../../core/errors.ts';
import type { MonteCarloOpener, MonteCarloShape } from '../../core/predict/mc.ts';
import { ApiError } from '../errors.ts';
import type { McCommand, McReply } from './mc-thread.ts';

/** Sampling requests that may wait: 200 take some 2 s of the thread. */
const MAX_WAITING = 200;

type Command<C = McCommand> = C extends McCommand ? Omit<C, 'id'> : never;

interface Pending {
  readonly resolve: (values: Float64Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Monte-Carlo sampling in one worker thread, so that it never holds up other predictions. A thread that
 * dies is replaced, and the graphs that were open are opened again.
 */
export class McPool {
  #worker: Worker | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #graphs = new Map<number, { bytes: Uint8Array; shape: MonteCarloShape }>();
  /** Samples that nobody waits for: one at a time, while nothing else is asked of the thread. */
  readonly #background: (() => void)[] = [];
  #next = 1;
  #closed = false;

  /** Opens verified bytes for sampling. */
  readonly open: MonteCarloOpener = async (bytes, shape) => {
    const graph = this.#next++;
    this.#graphs.set(graph, { bytes, shape });
    try {
      await this.#ask({ kind: 'open', graph, bytes, shape });
    } catch (error) {
      this.#graphs.delete(graph);
      throw error;
    }
    return {
      sample: async ({ background = false, ...request }) => {
        const draw = () => this.#ask({ kind: 'sample', graph, ...request });
        const waiting = background ? this.#background.length : this.#pending.size;
        if (waiting >= MAX_WAITING) throw overloaded();
        const values = await (background ? this.#later(draw) : draw());
        return values ?? new Float64Array(0);
      },
      release: async () => {
        this.#graphs.delete(graph);
        if (this.#worker) await this.#ask({ kind: 'release', graph });
      },
    };
  };

  /** Does it once the thread has nothing else to do. */
  #later<T>(draw: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#background.push(() => void draw().then(resolve, reject));
      this.#giveWay();
    });
  }

  #giveWay(): void {
    if (this.#pending.size === 0) this.#background.shift()?.();
  }

  #ask(command: Command): Promise<Float64Array | undefined> {
    if (this.#closed) return Promise.reject(new RatchetError('onnx.closed', 'serving has stopped'));
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ ...command, id } as McCommand);
    });
  }

  #start(): Worker {
    const worker = startThread();
    worker.unref();
    worker.on('message', (reply: McReply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if (reply.ok) pending?.resolve(reply.values);
      else pending?.reject(new RatchetError('onnx.run', reply.message, { permanent: false }));
      this.#giveWay();
    });
    worker.on('error', () => this.#lost(worker));
    worker.on('exit', () => this.#lost(worker));
    return worker;
  }

  /** All that waited fails (callers fall back); the graphs open again in a new thread. */
  #lost(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) {
      reject(new RatchetError('onnx.thread', 'the sampling thread ended', { permanent: false }));
    }
    // They are refused, or begin once the graphs are open again.
    for (const begin of this.#background.splice(0)) begin();
    if (this.#closed) return;
    for (const [graph, { bytes, shape }] of this.#graphs) {
      this.#ask({ kind: 'open', graph, bytes, shape }).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
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
