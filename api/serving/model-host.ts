import { join } from 'node:path';
import type { Log } from '../../activities/deps.ts';
import type { ServableVersion, ServedModel } from '../../registry/champions.ts';
import type { LoadedModels } from '../../registry/replicas.ts';
import { ApiError } from '../errors.ts';
import type { PackageSlots, Slot } from './package-slots.ts';
import { readNotes, writeNotes, type ServedNote } from './served-notes.ts';

/** A replica that has not activated a generation this long after it saw it is not ready. */
const ACTIVATE_MS = 2_000;
/** Former champions that are tried where a champion does not load: each costs a download and its probes. */
const STAND_INS_MAX = 3;

export interface Active {
  readonly served: ServedModel;
}

/** A champion that is not served here: since when, and why. */
interface Behind {
  readonly generation: number;
  readonly since: number;
  readonly reason: string;
}

const RESTORED_AT_ONCE = 4;
const LOADING = 'loading';
const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/**
 * Which package answers for which model on this replica. A new champion replaces the former one in one assignment, so
 * each answer names exactly one version. What serves is noted on the local disk (with the version before it), so that
 * a start with all servers away serves it again. Where a champion does not load and nothing answers yet, the newest
 * former champion that verifies stands in, under its own version and generation, until the champion loads.
 *
 * Packages are opened and proven before they serve. Only so many stay open as `PackageSlots` allows: the others are
 * opened again when they are asked for, and so are at a start those beyond that number.
 */
export class ModelHost {
  readonly #slots: PackageSlots;
  readonly #file: string;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #warm: (slot: Slot) => Promise<void>;
  readonly #earlier: (model: string, limit: number) => Promise<readonly ServedModel[]>;
  readonly #onLoadFailure: (model: string) => void;
  #active = new Map<string, Active>();
  readonly #notes = new Map<string, ServedNote>();
  readonly #behind = new Map<string, Behind>();
  #activating: Promise<void> = Promise.resolve();
  #kept: ReadonlySet<string> = new Set();
  /** Digests of what serves in a moment. */
  #restoring: readonly string[] = [];
  /** Monotonic ms of the last look at the registry; undefined: none yet. */
  #confirmedAt: number | undefined;

  constructor(parts: {
    readonly slots: PackageSlots;
    readonly folder: string;
    readonly log: Log;
    /** Monotonic ms. */
    readonly now: () => number;
    /** Fetches what answers of a package will need beside it. */
    readonly warm: (slot: Slot) => Promise<void>;
    /** Former champions that may stand in, newest first; may throw while the registry is away. */
    readonly earlier: (model: string, limit: number) => Promise<readonly ServedModel[]>;
    /** Hears of each champion that does not load, once for each reason. */
    readonly onLoadFailure?: (model: string) => void;
  }) {
    this.#slots = parts.slots;
    this.#file = join(parts.folder, 'champions.json');
    this.#log = parts.log;
    this.#now = parts.now;
    this.#warm = parts.warm;
    this.#earlier = parts.earlier;
    this.#onLoadFailure = parts.onLoadFailure ?? (() => undefined);
  }

  active(model: string): Active | undefined {
    return this.#active.get(model);
  }

  get models(): readonly string[] {
    return [...this.#active.keys()];
  }

  /**
   * The open package of what serves, opened again where it was closed for others; with it, what serves it: where the
   * champion does not load any more, that is the version before it. undefined: the model is not served here.
   * Throws `model.not-loaded`.
   */
  async open(model: string): Promise<{ readonly active: Active; readonly slot: Slot } | undefined> {
    const active = this.#active.get(model);
    if (!active) return undefined;
    try {
      return { active, slot: await this.reopen(active.served) };
    } catch (error) {
      const { served } = active;
      this.#failed(served, error, this.#now());
      if (this.#active.get(model) === active) await this.#standIn(served);
      const instead = this.#active.get(model);
      if (instead && instead !== active) {
        return { active: instead, slot: await this.reopen(instead.served) };
      }
      const words = `${model} version ${served.version} does not load on this replica: ${wordsOf(error)}`;
      throw new ApiError('unavailable', 'model.not-loaded', words, {
        retryAfterS: 5,
        cause: error,
      });
    }
  }

  /** Opens and proves a package without serving it, and warms what it needs. */
  async prepare(version: ServableVersion): Promise<Slot> {
    const slot = await this.reopen(version);
    // Missing bars are no reason not to serve: requests that need them say so.
    this.#warm(slot).catch((error: unknown) =>
      this.#log.debug({ err: error, model: version.model }, 'bars could not be fetched ahead'),
    );
    return slot;
  }

  /** The open package of a version that was prepared before, opened again where it was closed for others. */
  reopen(version: ServableVersion): Promise<Slot> {
    return this.#slots.open(version, this.#serving);
  }

  /** Digests of packages that serve beside the champions': challengers of running trials. */
  keep(digests: ReadonlySet<string>): void {
    this.#kept = digests;
  }

  readonly #serving = (): ReadonlySet<string> => {
    const active = [...this.#active.values()].map(({ served }) => served.packageDigest);
    return new Set([...active, ...this.#restoring, ...this.#kept]);
  };

  /** Serves what the registry says; reconciliations stand in a queue. */
  reconcile(wanted: readonly ServedModel[]): Promise<void> {
    this.#activating = this.#activating.catch(() => undefined).then(() => this.#reconcile(wanted));
    return this.#activating;
  }

  async #reconcile(wanted: readonly ServedModel[]): Promise<void> {
    const seen = this.#now();
    let changed = false;
    const names = new Set(wanted.map((served) => served.model));
    for (const model of this.#active.keys()) {
      if (names.has(model)) continue;
      this.#active.delete(model);
      this.#notes.delete(model);
      this.#behind.delete(model);
      changed = true;
    }
    for (const served of wanted) {
      const active = this.#active.get(served.model);
      // One that did not load when it was asked for is tried again.
      if (active && isSame(active.served, served) && !this.#behind.has(served.model)) continue;
      changed = (await this.#activate(served, seen)) || changed;
    }
    this.#confirmedAt = seen;
    if (changed) await this.#store();
  }

  async #activate(served: ServedModel, seen: number): Promise<boolean> {
    const { model, generation, version } = served;
    if (this.#behind.get(model)?.generation !== generation) {
      this.#behind.set(model, { generation, since: seen, reason: LOADING });
    }
    try {
      if (!this.#waitsForUse) await this.prepare(served);
      this.#active.set(model, { served });
      this.#behind.delete(model);
      this.#notes.set(model, { current: served, previous: await this.#before(served) });
      this.#log.info({ model, version, generation }, 'serving a new champion');
      return true;
    } catch (error) {
      this.#failed(served, error, seen);
      return !this.#active.has(model) && this.#standIn(served);
    }
  }

  /** At a start, more champions than stay open are not opened before somebody asks for them. */
  get #waitsForUse(): boolean {
    return this.#confirmedAt === undefined && this.#active.size >= this.#slots.limit;
  }

  /** It is tried again every second; log and metrics hear of each reason once. */
  #failed({ model, version, generation }: ServedModel, error: unknown, seen: number): void {
    const reason = wordsOf(error);
    const known = this.#behind.get(model);
    this.#behind.set(model, { generation, since: known?.since ?? seen, reason });
    if (known?.reason === reason) return;
    this.#onLoadFailure(model);
    this.#log.error({ err: error, model, version, generation }, 'the champion does not load');
  }

  /** The former champion to note beside a new one; without the registry, the one noted last. */
  async #before({ model, packageDigest }: ServedModel): Promise<ServedModel | null> {
    try {
      return (await this.#earlier(model, 1))[0] ?? null;
    } catch (error) {
      this.#log.debug({ err: error, model }, 'former champions could not be read');
      const note = this.#notes.get(model);
      return note?.current.packageDigest === packageDigest ? note.previous : null;
    }
  }

  /** Serves the newest former champion that verifies in place of one that does not. */
  async #standIn(wanted: ServedModel): Promise<boolean> {
    const { model } = wanted;
    const noted = this.#notes.get(model)?.previous;
    const candidates = await this.#earlier(model, STAND_INS_MAX).catch(() =>
      noted ? [noted] : [],
    );
    for (const served of candidates) {
      if (!(await this.#serveInstead(served))) continue;
      this.#notes.set(model, { current: wanted, previous: served });
      return true;
    }
    return false;
  }

  async #serveInstead(served: ServedModel): Promise<boolean> {
    const { model, version, generation } = served;
    try {
      await this.prepare(served);
      this.#active.set(model, { served });
      this.#log.warn({ model, version, generation }, 'an earlier version stands in');
      return true;
    } catch (error) {
      this.#log.error({ err: error, model, version }, 'an earlier version does not load either');
      return false;
    }
  }

  /** Seconds since the registry last confirmed what is served; undefined: never in this process. */
  get confirmedAgeS(): number | undefined {
    return this.#confirmedAt === undefined
      ? undefined
      : Math.max(0, (this.#now() - this.#confirmedAt) / 1000);
  }

  /** Models whose newest generation is not served though its time is up, why, and what answers instead. */
  get late(): readonly string[] {
    return [...this.#behind]
      .filter(([, { since }]) => this.#now() - since > ACTIVATE_MS)
      .map(([model, { generation, reason }]) => {
        const instead = this.#active.get(model)?.served;
        const answers = instead
          ? `version ${instead.version} (generation ${instead.generation}) answers`
          : 'nothing answers';
        return `${model} generation ${generation}: ${reason}; ${answers}`;
      });
  }

  /** Does a version answer that is not the champion, because that does not load here? */
  standsIn(model: string): boolean {
    const behind = this.#behind.get(model);
    return behind !== undefined && behind.reason !== LOADING && this.#active.has(model);
  }

  /** For the lease: what is loaded here. */
  get loaded(): LoadedModels {
    const loadedOf = ({ version, generation, packageDigest: digest }: ServedModel) =>
      ({ version, generation, digest }) as const;
    return Object.fromEntries([...this.#active].map(([model, of]) => [model, loadedOf(of.served)]));
  }

  #store(): Promise<void> {
    return writeNotes(this.#file, [...this.#notes.values()], this.#log);
  }

  /** Serves what served when the process last ran; where it does not load, the version before it. */
  async restore(): Promise<void> {
    const notes = await readNotes(this.#file, this.#log);
    const atOnce = this.#waitsForUse ? 1 : Math.min(RESTORED_AT_ONCE, this.#slots.limit);
    for (const [i, note] of notes.entries()) {
      const { current, previous } = note;
      if (this.#active.has(current.model)) continue;
      this.#notes.set(current.model, note);
      // Those after it are opened meanwhile; what is wrong with one of them is told in its turn.
      const near = notes.slice(i, i + atOnce).map((one) => one.current);
      this.#restoring = near.map(({ packageDigest }) => packageDigest);
      for (const next of near.slice(1)) this.reopen(next).catch(() => undefined);
      try {
        if (!this.#waitsForUse) await this.prepare(current);
        this.#active.set(current.model, { served: current });
      } catch (error) {
        this.#failed(current, error, this.#now());
        if (previous) await this.#serveInstead(previous);
      }
    }
    this.#restoring = [];
  }
}

/** Also an older generation is followed: PostgreSQL is the truth, and it may come out of a backup. */
const isSame = (a: ServedModel, b: ServedModel): boolean =>
  a.generation === b.generation && a.packageDigest === b.packageDigest;
