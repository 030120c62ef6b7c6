import { setImmediate as turn } from 'node:timers/promises';

/** Jobs that may wait. Each holds references to bars in memory, not bars of its own. */
const MAX_WAITING = 1_000;
/** Jobs at once: while one waits for the network or its samples, the other one goes on. */
const CONCURRENCY = 2;

/** A prediction that was answered, and is to be scored by the other arm of its trial. */
export interface ShadowJob {
  readonly trialId: string;
  run(): Promise<void>;
}

/**
 * Work that nobody waits for. It begins once the answer is out of hand, gives way to whatever else stands
 * in the event loop after each job, and forgets the oldest when too much waits.
 */
export class ShadowQueue {
  readonly #onDropped: () => void;
  readonly #capacity: number;
  #waiting: ShadowJob[] = [];
  #workers = 0;
  #closed = false;
  #onIdle: (() => void)[] = [];

  constructor(parts: { readonly onDropped: () => void; readonly capacity?: number }) {
    this.#onDropped = parts.onDropped;
    this.#capacity = parts.capacity ?? MAX_WAITING;
  }

  get length(): number {
    return this.#waiting.length;
  }

  push(job: ShadowJob): void {
    if (this.#closed) return this.#onDropped();
    if (this.#waiting.length >= this.#capacity) {
      this.#waiting.shift();
      this.#onDropped();
    }
    this.#waiting.push(job);
    if (this.#workers >= CONCURRENCY) return;
    this.#workers++;
    void this.#work();
  }

  /** Forgets what waits of a trial. */
  drop(trialId: string): void {
    const kept = this.#waiting.filter((job) => job.trialId !== trialId);
    for (let n = this.#waiting.length - kept.length; n > 0; n--) this.#onDropped();
    this.#waiting = kept;
  }

  async #work(): Promise<void> {
    try {
      for (;;) {
        await turn();
        const job = this.#waiting.shift();
        if (!job) return;
        // A job records its own failures; what is left is a mistake of ours, and must not end the others.
        await job.run().catch(() => this.#onDropped());
      }
    } finally {
      this.#workers--;
      if (this.#workers === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  /** Resolves once nothing waits and nothing runs. */
  settled(): Promise<void> {
    if (this.#workers === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Takes nothing more, drops what waits, and lets what runs end. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const _ of this.#waiting) this.#onDropped();
    this.#waiting = [];
    await this.settled();
  }
}
