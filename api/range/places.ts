import { ApiError } from '../errors.ts';

/** Places that hold as long as a stream is open; apart from those of batches, which nobody has to read on for. */
export class RangePlaces {
  readonly #limits: { readonly all: number; readonly ofKey: number };
  readonly #open = new Map<string, number>();
  #all = 0;

  constructor(limits: { readonly all: number; readonly ofKey: number }) {
    this.#limits = limits;
  }

  /** Takes one; what it gives back frees it, once. Throws `range.too-many` (of the key) and `predict.overloaded`. */
  take(keyId: string): () => void {
    const { all, ofKey } = this.#limits;
    const own = this.#open.get(keyId) ?? 0;
    // Those of a connection that was cut end by themselves: whoever goes on behind them has to come again.
    if (own >= ofKey) {
      const message = `This key has ${own} ranges open: read one to its end, or close it.`;
      throw new ApiError('too-many-requests', 'range.too-many', message, { retryAfterS: 5 });
    }
    if (this.#all >= all) {
      const message = 'Too many ranges at once.';
      throw new ApiError('unavailable', 'predict.overloaded', message, { retryAfterS: 5 });
    }
    this.#open.set(keyId, own + 1);
    this.#all++;
    let held = true;
    return () => {
      if (held) this.#free(keyId);
      held = false;
    };
  }

  #free(keyId: string): void {
    const own = (this.#open.get(keyId) ?? 0) - 1;
    if (own > 0) this.#open.set(keyId, own);
    else this.#open.delete(keyId);
    this.#all--;
  }
}
