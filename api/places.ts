import type { ApiError } from './errors.ts';

export interface PlaceLimits {
  readonly all: number;
  readonly ofKey: number;
  /** What a key hears that holds `own` places, all that it may. */
  readonly keyIsFull: (own: number) => ApiError;
  readonly allAreTaken: () => ApiError;
}

/** Places of one process, each held for as long as something stays open: so many in all, and fewer of one key. */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #ofKey = new Map<string, number>();
  #taken = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Takes one; what it gives back frees it, once. Throws what the limits say. */
  take(keyId: string): () => void {
    const { all, ofKey, keyIsFull, allAreTaken } = this.#limits;
    const own = this.#ofKey.get(keyId) ?? 0;
    if (own >= ofKey) throw keyIsFull(own);
    if (this.#taken >= all) throw allAreTaken();
    this.#taken++;
    this.#ofKey.set(keyId, own + 1);
    let held = true;
    return () => {
      if (held) this.#free(keyId);
      held = false;
    };
  }

  #free(keyId: string): void {
    this.#taken--;
    const own = (this.#ofKey.get(keyId) ?? 1) - 1;
    if (own > 0) this.#ofKey.set(keyId, own);
    else this.#ofKey.delete(keyId);
  }
}
