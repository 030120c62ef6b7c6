import { openPackage, type OpenedPackage, type Openers } from '../../core/predict/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import type { ServableVersion } from '../../registry/champions.ts';
import { Batcher } from './batcher.ts';

/** Packages open beside the champions: announced ones, pinned versions, former champions. */
const SPARE_SLOTS = 8;

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
    this.#users++;
    try {
      return await work(this);
    } finally {
      this.#users--;
      this.#releaseWhenFree();
    }
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

/** Verified bytes of a version: from the local cache or the artifact store. */
export type PackageLoader = (version: ServableVersion) => Promise<VerifiedPackage>;

/** Loads, opens, probes and keeps packages. Two callers of one package share the work. */
export class PackageSlots {
  readonly #load: PackageLoader;
  readonly #openers: Openers;
  readonly #onBatch: (size: number) => void;
  /** In order of last use. */
  readonly #slots = new Map<string, Promise<Slot>>();

  constructor(parts: {
    readonly load: PackageLoader;
    readonly openers: Openers;
    readonly onBatch: (size: number) => void;
  }) {
    this.#load = parts.load;
    this.#openers = parts.openers;
    this.#onBatch = parts.onBatch;
  }

  /**
   * The open package of a version. `keep`: digests that must stay. Its golden probes have run, so that
   * it is proven here and warm. Throws what is wrong with it.
   */
  open(version: ServableVersion, keep: ReadonlySet<string>): Promise<Slot> {
    const digest = version.packageDigest;
    let slot = this.#slots.get(digest);
    this.#slots.delete(digest);
    if (!slot) {
      slot = this.#open(version);
      // A failure is not remembered: the store may be back at the next try.
      slot.catch(() => {
        if (this.#slots.get(digest) === slot) this.#slots.delete(digest);
      });
    }
    this.#slots.set(digest, slot);
    this.#evict(keep, digest);
    return slot;
  }

  async #open(version: ServableVersion): Promise<Slot> {
    const verified = await this.#load(version);
    const opened = await openPackage(verified, this.#openers);
    return new Slot(version, opened, this.#onBatch);
  }

  #evict(keep: ReadonlySet<string>, newest: string): void {
    const spare = [...this.#slots.keys()].filter((digest) => !keep.has(digest));
    for (const digest of spare.slice(0, Math.max(0, spare.length - SPARE_SLOTS))) {
      if (digest === newest) continue;
      const slot = this.#slots.get(digest)!;
      this.#slots.delete(digest);
      slot.then(
        (s) => s.evict(),
        () => undefined,
      );
    }
  }

  async close(): Promise<void> {
    for (const slot of this.#slots.values()) {
      await slot.then(
        (s) => s.evict(),
        () => undefined,
      );
    }
    this.#slots.clear();
  }
}
