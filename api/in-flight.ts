/** Requests under way at once; beyond, callers are told to come again. */
const MAX_IN_FLIGHT = 2_000;

/** Requests under way, whichever way they came in. */
export class InFlight {
  #count = 0;

  /** false: there are too many. Else `leave` follows, once. */
  enter(): boolean {
    if (this.#count >= MAX_IN_FLIGHT) return false;
    this.#count++;
    return true;
  }

  leave(): void {
    this.#count--;
  }
}
