import { availableParallelism } from 'node:os';

/**
 * How soon after the last answer a request counts as the next one of a caller that asks one after the other, ms, and how
 * long it is waited for without sleep. Such a caller is back within some 40 us; a thread that fell asleep meanwhile
 * answers 20 us later, the time that it takes a sleeping core to wake (virtual machine of two cores).
 */
const FOLLOWS_MS = 0.1;

/** Where polling gets its time and turns from. */
export interface PollParts {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Calls back in the next turn of the event loop, which does not sleep before it. */
  readonly nextTurn: (call: () => void) => void;
  readonly cores: number;
}

const ofProcess = (): PollParts => ({
  now: () => performance.now(),
  nextTurn: (call) => void setImmediate(call),
  cores: availableParallelism(),
});

/**
 * Busy polling: while requests follow one another closely, the event loop looks for the next one instead of sleeping.
 * Where they do not, or a request is under way, it sleeps as ever; and on a single core, which the caller needs.
 */
export class BusyPoll {
  readonly #parts: PollParts;
  readonly #isAllowed: boolean;
  /** Since when no request is under way; Infinity: one is. */
  #idleSince = -Infinity;
  #follows = false;
  #isPolling = false;

  constructor(parts = ofProcess()) {
    this.#parts = parts;
    this.#isAllowed = parts.cores > 1;
  }

  /** A request came where none was under way. */
  begin(): void {
    this.#follows = this.#parts.now() - this.#idleSince < FOLLOWS_MS;
    this.#idleSince = Infinity;
  }

  /** None is under way any more. */
  end(): void {
    this.#idleSince = this.#parts.now();
    if (!this.#follows || !this.#isAllowed || this.#isPolling) return;
    this.#isPolling = true;
    this.#parts.nextTurn(this.#poll);
  }

  readonly #poll = (): void => {
    const idleMs = this.#parts.now() - this.#idleSince;
    this.#isPolling = idleMs >= 0 && idleMs < FOLLOWS_MS;
    if (this.#isPolling) this.#parts.nextTurn(this.#poll);
  };
}
