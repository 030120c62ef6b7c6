import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../activities/deps.ts';
import { strategySpecSchema, type StrategySpec } from '../core/strategies/index.ts';
import { isDatabaseAway } from './errors.ts';
import type { ApiParts } from './parts.ts';
import { writeFileDurably } from './serving/durable-file.ts';
import { readTemplate } from './signal-bars.ts';

/** What a model's template says about its signals. */
export interface Declared {
  /** null: nothing is declared. */
  readonly strategy: StrategySpec | null;
  /** Datasets of its bars: what the slowest of them takes to publish one is waited for. */
  readonly datasets: readonly string[];
}

const fileSchema = z.object({
  format: z.literal(1),
  models: z.record(
    z.string(),
    z.object({ strategy: strategySpecSchema.nullable(), datasets: z.array(z.string()) }),
  ),
});

/** A template that was changed is followed after this long. */
const FRESH_MS = 3_000;

/**
 * What the templates declare, kept in memory and on this replica's disk: a signal waits for the database where its model was
 * never asked for one here, and for nothing after that.
 */
export class DeclaredStrategies {
  readonly #file: string;
  readonly #log: Log;
  readonly #known = new Map<string, Declared>();
  readonly #readAt = new Map<string, number>();
  readonly #reading = new Map<string, Promise<Declared>>();

  constructor({ folder, log }: { readonly folder: string; readonly log: Log }) {
    this.#file = join(folder, 'declared-strategies.json');
    this.#log = log;
  }

  /** From the disk of an earlier start; the registry has it all, so a file that cannot be read is none. */
  async restore(): Promise<void> {
    try {
      const { models } = fileSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      for (const [model, declared] of Object.entries(models)) this.#known.set(model, declared);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.warn({ err: error }, 'the strategies noted on disk are unreadable');
    }
  }

  /** As of some seconds ago at most while the database answers, else the last that was known. Throws where nothing was. */
  of(parts: ApiParts, model: string): Promise<Declared> {
    const known = this.#known.get(model);
    if (known === undefined) return this.#read(parts, model);
    const readAt = this.#readAt.get(model) ?? -Infinity;
    if (performance.now() - readAt > FRESH_MS) {
      void this.#read(parts, model).catch((error: unknown) => {
        if (isDatabaseAway(error)) return;
        this.#log.warn({ err: error, model }, 'its template could not be read');
      });
    }
    return Promise.resolve(known);
  }

  /** Reads what was never read of these models, one after the other: whoever asks for a signal then waits for nothing. */
  async readNew(parts: ApiParts, models: readonly string[]): Promise<void> {
    for (const model of models.filter((one) => !this.#known.has(one))) {
      await this.#read(parts, model).catch((error: unknown) => {
        this.#log.debug({ err: error, model }, 'its template waits for the database');
      });
    }
  }

  /** What was just changed here is followed at once. */
  forget(model: string): void {
    this.#known.delete(model);
  }

  #read(parts: ApiParts, model: string): Promise<Declared> {
    const under = this.#reading.get(model);
    if (under) return under;
    const reading = this.#readNow(parts, model).finally(() => this.#reading.delete(model));
    this.#reading.set(model, reading);
    return reading;
  }

  async #readNow(parts: ApiParts, model: string): Promise<Declared> {
    const template = await readTemplate(parts, model);
    const declared: Declared = {
      strategy: template?.spec.serving.strategy ?? null,
      datasets: template?.spec.data.sources.map(({ dataset }) => dataset) ?? [],
    };
    const before = this.#known.get(model);
    this.#known.set(model, declared);
    this.#readAt.set(model, performance.now());
    if (JSON.stringify(before) !== JSON.stringify(declared)) await this.#keep();
    return declared;
  }

  async #keep(): Promise<void> {
    const models = Object.fromEntries(this.#known);
    await writeFileDurably(this.#file, JSON.stringify({ format: 1, models })).catch(
      (error: unknown) => this.#log.error({ err: error }, 'strategies cannot be kept on disk'),
    );
  }
}
