/** Failures in a row after which an endpoint is left alone. */
const FAILURES_MAX = 5;
const OPEN_MS = 60_000;
/** An endpoint may ask for a longer pause (`retry-after`), up to this. */
const PAUSE_MAX_MS = 600_000;

/** Leaves an endpoint alone that fails again and again; after the pause one question tries it. Times in ms. */
export class CircuitBreaker {
  #failures = 0;
  #openUntil = -Infinity;
  #trying = false;

  /** Whether it may be asked at `now`; every yes is followed by `succeeded` or `failed`. */
  mayAsk(now: number): boolean {
    if (now < this.#openUntil) return false;
    if (this.#failures < FAILURES_MAX) return true;
    if (this.#trying) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#trying = false;
  }

  /** `pauseMs`: what the endpoint asked for. */
  failed(now: number, pauseMs?: number): void {
    this.#failures = Math.min(FAILURES_MAX, this.#failures + 1);
    this.#trying = false;
    const pause = pauseMs === undefined ? 0 : Math.min(PAUSE_MAX_MS, Math.max(0, pauseMs));
    const own = this.#failures >= FAILURES_MAX ? OPEN_MS : 0;
    this.#openUntil = Math.max(this.#openUntil, now + Math.max(pause, own));
  }
}
