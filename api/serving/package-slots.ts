import { openPackage, type OpenedPackage, type Openers } from '../../core/predict/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import type { ServableVersion } from '../../registry/champions.ts';
import { Batcher } from './batcher.ts';

/** Packages open beside those that serve: announced ones, pinned versions, former champions. */
const SPARE_SLOTS = 8;
/** Packages that serve and are open at once: a mid-sized LSTM takes some ten MB of native and other memory. */
export const OPEN_MODELS_DEFAULT = 32;

/** An open package and who uses it. Released when it is evicted and the last user has gone. */
export class Slot {
  readonly version: ServableVersion;
  readonly opened: OpenedPackage;
  readonly batcher: Batcher;
  #users = 0;
  #evicted = false;
  #released = false;

  constructor(version: ServableVersion, opened: OpenedPackage, onBatch: (size: number) => void) {
    this.version = version;
    this.opened = opened;
    this.batcher = new Batcher(opened, onBatch);
  }

  /** Holds the package open while `work` runs. */
  async use<T>(work: (slot: Slot) => Promise<T>): Promise<T> {
    const release = this.hold();
    try {
      return await work(this);
    } finally {
      release();
    }
  }

  /** Holds the package open until what it returns is called, once. */
  hold(): () => void {
    this.#users++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#users--;
      this.#releaseWhenFree();
    };
  }

  /** Releases it once nobody uses it; whoever has it in hand in this turn still gets to use it. */
  evict(): void {
    this.#evicted = true;
    setImmediate(() => this.#releaseWhenFree());
  }

  #releaseWhenFree(): void {
    if (!this.#evicted || this.#users > 0 || this.#released) return;
    this.#released = true;
    void this.opened.release().catch(() => undefined);
  }
}

interface Held {
  readonly slot: Promise<Slot>;
  /** Greater: later. */
  lastUse: number;
}

/** Verified bytes of a version: from the local cache or the artifact store. */
export type PackageLoader = (version: ServableVersion) => Promise<VerifiedPackage>;

/**
 * Loads, opens, probes and keeps packages: the `limit` that were used last of those that serve, and some others, which
 * cannot push those out. Two callers of one package share the work.
 */
export class PackageSlots {
  readonly #load: PackageLoader;
  readonly #openers: Openers;
  readonly #onBatch: (size: number) => void;
  readonly limit: number;
  readonly #slots = new Map<string, Held>();
  #uses = 0;

  constructor(parts: {
    readonly load: PackageLoader;
    readonly openers: Openers;
    readonly onBatch: (size: number) => void;
    /** Packages that serve and are open at once; default: OPEN_MODELS_DEFAULT. */
    readonly limit?: number | undefined;
  }) {
    this.limit = parts.limit ?? OPEN_MODELS_DEFAULT;
    this.#load = parts.load;
    this.#openers = parts.openers;
    this.#onBatch = parts.onBatch;
  }

  /** Packages that are open, or being opened. */
  get size(): number {
    return this.#slots.size;
  }

  /**
   * The open package of a version, to be used before the next turn of the event loop. `serving`: digests of what
   * serves, asked for only where it must be opened. Its golden probes have run, so that it is proven here and warm.
   * Throws what is wrong with it.
   */
  open(version: ServableVersion, serving: () => ReadonlySet<string>): Promise<Slot> {
    const digest = version.packageDigest;
    const known = this.#slots.get(digest);
    if (known) {
      known.lastUse = this.#uses++;
      return known.slot;
    }
    const slot = this.#open(version);
    // A failure is not remembered: the store may be back at the next try.
    slot.catch(() => {
      if (this.#slots.get(digest)?.slot === slot) this.#slots.delete(digest);
    });
    this.#slots.set(digest, { slot, lastUse: this.#uses++ });
    this.#evict(serving());
    return slot;
  }

  async #open(version: ServableVersion): Promise<Slot> {
    const verified = await this.#load(version);
    const opened = await openPackage(verified, this.#openers);
    return new Slot(version, opened, this.#onBatch);
  }

  #evict(serving: ReadonlySet<string>): void {
    const byUse = [...this.#slots].toSorted(([, a], [, b]) => a.lastUse - b.lastUse);
    const open = byUse.map(([digest]) => digest);
    const served = open.filter((digest) => serving.has(digest));
    const spare = open.filter((digest) => !serving.has(digest));
    for (const digest of [...oldest(served, this.limit), ...oldest(spare, SPARE_SLOTS)]) {
      const { slot } = this.#slots.get(digest)!;
      this.#slots.delete(digest);
      slot.then(
        (s) => s.evict(),
        () => undefined,
      );
    }
  }

  async close(): Promise<void> {
    for (const { slot } of this.#slots.values()) {
      await slot.then(
        (s) => s.evict(),
        () => undefined,
      );
    }
    this.#slots.clear();
  }
}

/** Those beyond the newest `limit`, of a list in order of last use. */
const oldest = (digests: readonly string[], limit: number): readonly string[] =>
  digests.slice(0, Math.max(0, digests.length - limit));
