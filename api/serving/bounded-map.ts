interface Entry<V> {
  value: V;
  /** Since it was last spared. */
  used: boolean;
}

/** For one that comes: the thread that looks for its place also answers. */
const MAX_SPARED = 32;

/**
 * A map that holds at most `capacity` entries: a new one takes the place of the oldest that was not used since it came, or since
 * it was spared (second chance). To move an entry at each use would leave a hole each time in a Map, which then is rebuilt
 * every few uses.
 */
export class BoundedMap<K, V> {
  readonly #capacity: number;
  readonly #entries = new Map<K, Entry<V>>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    entry.used = true;
    return entry.value;
  }

  set(key: K, value: V): void {
    const entry = this.#entries.get(key);
    if (entry) {
      entry.value = value;
      entry.used = true;
      return;
    }
    if (this.#entries.size >= this.#capacity) this.#forgetOne();
    this.#entries.set(key, { value, used: false });
  }

  /** Those that are spared go behind all others; where all are in use, few are, and the next one goes. */
  #forgetOne(): void {
    let spared = 0;
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.used || spared++ >= MAX_SPARED) return;
      entry.used = false;
      this.#entries.set(key, entry);
    }
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}
