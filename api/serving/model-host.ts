import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../../activities/deps.ts';
import type { ServableVersion, ServedModel } from '../../registry/champions.ts';
import type { LoadedModels } from '../../registry/replicas.ts';
import { writeFileDurably } from './durable-file.ts';
import type { PackageSlots, Slot } from './package-slots.ts';

/** A replica that has not activated a generation this long after it saw it is not ready. */
const ACTIVATE_MS = 2_000;

export interface Active {
  readonly served: ServedModel;
  readonly slot: Slot;
}

/**
 * Which package answers for which model on this replica. A new champion replaces the former one in one
 * assignment, so each answer names exactly one version. What serves is noted on the local disk (with the
 * version before it), so that a start with all servers away serves it again.
 */
export class ModelHost {
  readonly #slots: PackageSlots;
  readonly #file: string;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #warm: (slot: Slot) => Promise<void>;
  #active = new Map<string, Active>();
  #previous = new Map<string, ServedModel>();
  /** Generations seen but not activated: since when, and why. */
  readonly #behind = new Map<string, { generation: number; since: number; reason: string }>();
  #activating: Promise<void> = Promise.resolve();
  #kept: ReadonlySet<string> = new Set();
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
  }) {
    this.#slots = parts.slots;
    this.#file = join(parts.folder, 'champions.json');
    this.#log = parts.log;
    this.#now = parts.now;
    this.#warm = parts.warm;
  }

  active(model: string): Active | undefined {
    return this.#active.get(model);
  }

  get models(): readonly string[] {
    return [...this.#active.keys()];
  }

  /** Opens and proves a package without serving it, and warms what it needs. */
  async prepare(version: ServableVersion): Promise<Slot> {
    const slot = await this.#slots.open(version, this.#openDigests());
    // Missing bars are no reason not to serve: requests that need them say so.
    this.#warm(slot).catch((error: unknown) =>
      this.#log.debug({ err: error, model: version.model }, 'bars could not be fetched ahead'),
    );
    return slot;
  }

  /** Digests of packages that stay open beside the champions': challengers of running trials. */
  keep(digests: ReadonlySet<string>): void {
    this.#kept = digests;
  }

  #openDigests(): ReadonlySet<string> {
    const active = [...this.#active.values()].map(({ served }) => served.packageDigest);
    return new Set([...active, ...this.#kept]);
  }

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
      this.#behind.delete(model);
      changed = true;
    }
    for (const served of wanted) {
      const active = this.#active.get(served.model);
      if (active && isSame(active.served, served)) continue;
      changed = (await this.#activate(served, seen)) || changed;
    }
    this.#confirmedAt = seen;
    if (changed) await this.#store();
  }

  async #activate(served: ServedModel, seen: number): Promise<boolean> {
    const { model, generation, version } = served;
    const late = this.#behind.get(model);
    if (late?.generation !== generation) {
      this.#behind.set(model, { generation, since: seen, reason: 'loading' });
    }
    try {
      const slot = await this.prepare(served);
      const before = this.#active.get(model);
      this.#active.set(model, { served, slot });
      if (before) this.#previous.set(model, before.served);
      this.#behind.delete(model);
      this.#log.info({ model, version, generation }, 'serving a new champion');
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const earlier = this.#behind.get(model);
      this.#behind.set(model, { generation, since: earlier?.since ?? seen, reason });
      // It is tried again every second; the log hears of each reason once.
      if (earlier?.reason !== reason) {
        this.#log.error({ err: error, model, version, generation }, 'the champion does not load');
      }
      return false;
    }
  }

  /** Seconds since the registry last confirmed what is served; undefined: never in this process. */
  get confirmedAgeS(): number | undefined {
    return this.#confirmedAt === undefined
      ? undefined
      : Math.max(0, (this.#now() - this.#confirmedAt) / 1000);
  }

  /** Models whose newest generation is not served though its time is up, with the reason. */
  get late(): readonly string[] {
    return [...this.#behind]
      .filter(([, { since }]) => this.#now() - since > ACTIVATE_MS)
      .map(([model, { generation, reason }]) => `${model} generation ${generation}: ${reason}`);
  }

  /** For the lease: what is loaded here. */
  get loaded(): LoadedModels {
    return Object.fromEntries(
      [...this.#active].map(([model, { served }]) => [
        model,
        {
          version: served.version,
          generation: served.generation,
          digest: served.packageDigest,
        },
      ]),
    );
  }

  async #store(): Promise<void> {
    const models = [...this.#active.values()].map(({ served }) => ({
      current: served,
      previous: this.#previous.get(served.model) ?? null,
    }));
    await writeFileDurably(this.#file, JSON.stringify({ format: 1, models })).catch(
      (error: unknown) => this.#log.error({ err: error }, 'champions cannot be kept on disk'),
    );
  }

  /** Serves what served when the process last ran; where it does not load, the version before it. */
  async restore(): Promise<void> {
    for (const { current, previous } of await this.#read()) {
      if (this.#active.has(current.model)) continue;
      if (previous) this.#previous.set(current.model, previous);
      for (const served of previous ? [current, previous] : [current]) {
        try {
          this.#active.set(served.model, { served, slot: await this.prepare(served) });
          break;
        } catch (error) {
          const { model, version } = served;
          this.#log.error({ err: error, model, version }, 'a cached package does not load');
        }
      }
    }
  }

  async #read(): Promise<z.infer<typeof storedSchema>['models']> {
    try {
      return storedSchema.parse(JSON.parse(await readFile(this.#file, 'utf8'))).models;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#log.warn({ err: error }, 'the champions noted on disk are unreadable');
      }
      return [];
    }
  }
}

/** Also an older generation is followed: PostgreSQL is the truth, and it may come out of a backup. */
const isSame = (a: ServedModel, b: ServedModel): boolean =>
  a.generation === b.generation && a.packageDigest === b.packageDigest;

const servedSchema = z.object({
  model: z.string(),
  version: z.int(),
  generation: z.int(),
  packageDigest: z.string(),
  manifestUri: z.string(),
  instruments: z.array(z.string()),
  experimentId: z.string(),
  beatsNaive: z.boolean(),
  createdAt: z.coerce.date(),
  changedAt: z.coerce.date(),
  trainedThrough: z.coerce.date().nullable(),
  sources: z.array(
    z.object({ dataset: z.string(), role: z.enum(['primary', 'fallback', 'exogenous']) }),
  ),
});
const storedSchema = z.object({
  format: z.literal(1),
  models: z.array(z.object({ current: servedSchema, previous: servedSchema.nullable() })),
});
