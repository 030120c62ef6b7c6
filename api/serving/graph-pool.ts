import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { RatchetError } from '../../core/errors.ts';
import type { WindowsRunner } from '../../core/predict/cut-windows.ts';
import type { MonteCarloOpener } from '../../core/predict/mc.ts';
import { ApiError } from '../errors.ts';
import type { WindowShape } from '../../core/packages/golden.ts';
import type { Graph, GraphCommand, GraphReply } from './graph-thread.ts';

/** What may wait for the threads: 200 samplings take some 1.1 s of one. */
const MAX_WAITING = 200;

/** Each holds its own copy of every graph. */
const MAX_THREADS = Math.min(2, availableParallelism());

type Command<C = GraphCommand> = C extends GraphCommand ? Omit<C, 'id'> : never;

interface Pending {
  readonly kind: Command['kind'];
  readonly resolve: (values: Float64Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** A worker thread that runs graphs, and what is asked of it. */
class GraphThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #onReply: () => void;
  /** Graphs that are open there. */
  readonly graphs = new Set<number>();
  readonly #opening = new Map<number, Promise<void>>();
  #next = 1;

  constructor(parts: {
    readonly onReply: () => void;
    readonly onLost: (thread: GraphThread) => void;
  }) {
    this.#onReply = parts.onReply;
    this.#worker = startThread();
    this.#worker.unref();
    this.#worker.on('message', (reply: GraphReply) => this.#answered(reply));
    this.#worker.on('error', () => parts.onLost(this));
    this.#worker.on('exit', () => parts.onLost(this));
  }

  get waiting(): number {
    return this.#pending.size;
  }

  /** Does somebody wait for samples? */
  get isSampling(): boolean {
    return [...this.#pending.values()].some(({ kind }) => kind === 'sample');
  }

  ask(command: Command): Promise<Float64Array | undefined> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#pending.set(id, { kind: command.kind, resolve, reject });
      this.#worker.postMessage({ ...command, id } as GraphCommand);
    });
  }

  /** Once, however often it is asked for meanwhile. */
  open(graph: number, opened: Graph): Promise<void> {
    const open = async (): Promise<void> => {
      try {
        await this.ask({ kind: 'open', graph, opened });
        this.graphs.add(graph);
      } finally {
        this.#opening.delete(graph);
      }
    };
    const opening = this.#opening.get(graph) ?? open();
    this.#opening.set(graph, opening);
    return opening;
  }

  async release(graph: number): Promise<void> {
    if (this.graphs.delete(graph)) await this.ask({ kind: 'release', graph });
  }

  #answered(reply: GraphReply): void {
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
      reject(
        new RatchetError('onnx.thread', 'the thread of the graphs ended', { permanent: false }),
      );
    }
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

/**
 * Graphs in worker threads, so that they never hold up other predictions: Monte-Carlo sampling, in one thread, and in a
 * second one once somebody waits for the first; and windows of ranges, while a thread draws no samples. A thread that
 * dies is replaced, and the graphs that were open are opened again.
 */
export class GraphPool {
  #threads: readonly GraphThread[] = [];
  readonly #graphs = new Map<number, Graph>();
  /** Samples that nobody waits for: one at a time, while no others are asked of the threads. */
  readonly #background: (() => void)[] = [];
  #next = 1;
  #isGrowing = false;
  #closed = false;

  /** Opens verified bytes for sampling. */
  readonly open: MonteCarloOpener = async (bytes, shape) => {
    const { graph, opening } = this.#open({ of: 'samples', bytes, shape });
    await opening;
    return {
      sample: async ({ background = false, ...request }) => {
        const draw = () => this.#threadFor(graph).ask({ kind: 'sample', graph, ...request });
        const waiting = background ? this.#background.length : this.#waiting;
        if (waiting >= MAX_WAITING) throw overloaded();
        return valuesOrNone(await (background ? this.#later(draw) : draw()));
      },
      release: () => this.#release(graph),
    };
  };

  /**
   * Opens verified bytes for windows. There is no thread for them until that is done, nor where it fails, nor while somebody
   * waits for samples; those of other ranges they wait for, some 4 ms of each.
   */
  openWindows(bytes: Uint8Array, shape: WindowShape): WindowsRunner {
    const { graph, opening } = this.#open({ of: 'windows', bytes, shape });
    const settled = opening.catch(() => undefined);
    return {
      run: (windows) => {
        const open = this.#threads.filter((one) => !one.isSampling && one.graphs.has(graph));
        const [freest] = open.toSorted((a, b) => a.waiting - b.waiting);
        return freest?.ask({ kind: 'windows', graph, windows }).then(valuesOrNone);
      },
      release: () => {
        void settled.then(() => this.#release(graph)).catch(() => undefined);
      },
    };
  }

  #open(opened: Graph): { readonly graph: number; readonly opening: Promise<void> } {
    const graph = this.#next++;
    this.#graphs.set(graph, opened);
    const open = async (): Promise<void> => {
      try {
        await Promise.all(this.#running().map((thread) => thread.open(graph, opened)));
      } catch (error) {
        this.#graphs.delete(graph);
        throw error;
      }
    };
    return { graph, opening: open() };
  }

  async #release(graph: number): Promise<void> {
    this.#graphs.delete(graph);
    await Promise.all(this.#threads.map((thread) => thread.release(graph)));
  }

  get #waiting(): number {
    return this.#threads.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Does it once the threads have no samples to draw. */
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
    if (!this.#threads.some(({ isSampling }) => isSampling)) this.#background.shift()?.();
  }

  /** The threads there are; one begins where there is none. */
  #running(): readonly GraphThread[] {
    if (this.#closed) throw new RatchetError('onnx.closed', 'serving has stopped');
    if (this.#threads.length === 0) this.#threads = [this.#start()];
    return this.#threads;
  }

  /** The thread with the graph that has least to do; where all have something, another one begins for those to come. */
  #threadFor(graph: number): GraphThread {
    const threads = this.#running();
    const open = threads.filter(({ graphs }) => graphs.has(graph));
    const [freest = threads[0]!] = open.toSorted((a, b) => a.waiting - b.waiting);
    if (freest.isSampling && threads.length < MAX_THREADS) void this.#grow();
    return freest;
  }

  async #grow(): Promise<void> {
    if (this.#isGrowing) return;
    this.#isGrowing = true;
    const thread = this.#start();
    try {
      // Others may be opened and released meanwhile.
      while (!this.#hasAll(thread)) await this.#equip(thread);
      if (!this.#closed) this.#threads = [...this.#threads, thread];
      else await thread.terminate();
    } catch {
      // The others go on; the next one that waits tries again.
      await thread.terminate();
    } finally {
      this.#isGrowing = false;
    }
  }

  #hasAll({ graphs }: GraphThread): boolean {
    return graphs.size === this.#graphs.size && [...graphs].every((id) => this.#graphs.has(id));
  }

  /** Opens there what is open in the pool, and lets go what is not any more. */
  async #equip(thread: GraphThread): Promise<void> {
    const lacking = [...this.#graphs].filter(([id]) => !thread.graphs.has(id));
    await Promise.all(lacking.map(([id, graph]) => thread.open(id, graph)));
    const gone = [...thread.graphs].filter((id) => !this.#graphs.has(id));
    await Promise.all(gone.map((id) => thread.release(id)));
  }

  #start(): GraphThread {
    return new GraphThread({
      onReply: () => this.#giveWay(),
      onLost: (thread) => this.#lost(thread),
    });
  }

  /** All that waited there fails; what it had alone opens in those that are left, or in a new one. */
  #lost(thread: GraphThread): void {
    thread.fail();
    if (!this.#threads.includes(thread)) return;
    this.#threads = this.#threads.filter((other) => other !== thread);
    if (!this.#closed) {
      for (const other of this.#running()) this.#equip(other).catch(() => undefined);
    }
    this.#beginAll();
  }

  /** They are refused, or begin once the graphs are open again. */
  #beginAll(): void {
    for (const begin of this.#background.splice(0)) begin();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#threads;
    this.#threads = [];
    this.#beginAll();
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

const valuesOrNone = (values: Float64Array | undefined): Float64Array =>
  values ?? new Float64Array(0);

/** Built code starts directly; TypeScript sources (tests) need their loader inside the thread too. */
function startThread(): Worker {
  if (!import.meta.filename.endsWith('.ts')) {
    return new Worker(new URL('./graph-thread.js', import.meta.url));
  }
  const loader = import.meta.resolve('tsx/esm/api');
  const thread = new URL('./graph-thread.ts', import.meta.url).href;
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
