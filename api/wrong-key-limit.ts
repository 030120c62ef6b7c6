/** Wrong keys that one address may send in a minute. */
export const WRONG_KEYS_PER_MINUTE = 10;
const WINDOW_MS = 60_000;
/** Addresses remembered at most; the oldest is forgotten first. */
const MAX_ADDRESSES = 10_000;

interface Count {
  wrong: number;
  since: number;
}

/** Counts wrong keys per address in windows of a minute. */
export class WrongKeyLimit {
  readonly #now: () => number;
  readonly #counts = new Map<string, Count>();

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Seconds until this address may try again; 0 when it may. */
  waitSeconds(address: string): number {
    const count = this.#counts.get(address);
    if (!count || count.wrong < WRONG_KEYS_PER_MINUTE) return 0;
    const left = count.since + WINDOW_MS - this.#now();
    return left > 0 ? Math.ceil(left / 1000) : 0;
  }

  count(address: string): void {
    const now = this.#now();
    const count = this.#counts.get(address);
    if (count && now - count.since < WINDOW_MS) {
      count.wrong++;
      return;
    }
    this.#counts.delete(address);
    if (this.#counts.size >= MAX_ADDRESSES) {
      const oldest = this.#counts.keys().next().value;
      if (oldest !== undefined) this.#counts.delete(oldest);
    }
    this.#counts.set(address, { wrong: 1, since: now });
  }
}
