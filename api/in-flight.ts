import { BusyPoll } from './busy-poll.ts';

/** Requests under way at once; beyond, callers are told to come again. */
const MAX_IN_FLIGHT = 2_000;

/** Requests under way, whichever way they came in. */
export class InFlight {
  #count = 0;
  readonly #poll = new BusyPoll();

  /** false: there are too many. Else `leave` follows, once. */
  enter(): boolean {
    if (this.#count >= MAX_IN_FLIGHT) return false;
    if (this.#count++ === 0) this.#poll.begin();
    return true;
  }

  leave(): void {
    if (--this.#count === 0) this.#poll.end();
  }
}
