import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../activities/deps.ts';
import { readKey, usableKeys, type ApiKey } from '../registry/keys.ts';
import type { Db } from '../registry/in-transaction.ts';
import { writeFileDurably } from './serving/durable-file.ts';

/** Unknown ids that are looked up in the database at once, per second: a guesser must not load it. */
const LOOKUPS_PER_SECOND = 20;

/**
 * The hashed keys, in memory and on disk, so that authentication needs no database. Refreshed in the
 * background; a key made a moment ago on another replica is looked up once.
 */
export class KeyCache {
  readonly #db: Db;
  readonly #file: string;
  readonly #log: Log;
  #keys = new Map<string, ApiKey>();
  #text = '';
  /** Keys were put in one by one since the last refresh. */
  #touched = false;
  #lookups = { second: 0, count: 0 };
  /** Changes whenever the keys do. */
  generation = 0;
  /** The operator's key stands in the database. */
  adminIsStored = false;

  constructor(parts: { readonly db: Db; readonly stateDir: string; readonly log: Log }) {
    this.#db = parts.db;
    this.#file = join(parts.stateDir, 'keys.json');
    this.#log = parts.log;
  }

  /** Keys as they were when the process last ran: for a start without the database. */
  async restore(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      this.#take((JSON.parse(text) as StoredKey[]).map(revive));
    } catch (error) {
      this.#log.warn({ err: error }, 'the cached keys are unreadable; waiting for the database');
    }
  }

  /** Reads all usable keys; throws when the database is away (the former ones stay). */
  async refresh(): Promise<void> {
    const keys = await usableKeys(this.#db);
    const text = JSON.stringify(keys);
    // A key that was looked up and revoked between two refreshes is in neither: it must go all the same.
    if (text === this.#text && !this.#touched) return;
    this.#take(keys);
    if (text === this.#text) return;
    await writeFileDurably(this.#file, text);
    this.#text = text;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Puts one key in by hand: the operator's own, known from its file. */
  add(key: ApiKey): void {
    this.#keys.set(key.id, key);
    this.#touched = true;
    this.generation++;
  }

  /** Takes a revoked key out at once on this replica; the others follow with their next refresh. */
  remove(id: string): void {
    if (this.#keys.delete(id)) this.generation++;
  }

  async find(id: string): Promise<ApiKey | undefined> {
    const cached = this.#keys.get(id);
    if (cached || !this.#mayLookUp()) return cached;
    try {
      const key = await readKey(this.#db, id);
      if (key) {
        this.#keys.set(id, key);
        this.#touched = true;
      }
      return key;
    } catch (error) {
      this.#log.debug({ err: error }, 'a key that is not cached could not be looked up');
      return undefined;
    }
  }

  #mayLookUp(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#lookups.second) this.#lookups = { second, count: 0 };
    return this.#lookups.count++ < LOOKUPS_PER_SECOND;
  }

  #take(keys: readonly ApiKey[]): void {
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#touched = false;
    this.generation++;
  }
}

type StoredKey = Omit<ApiKey, 'createdAt' | 'expiresAt' | 'revokedAt'> & {
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
};

const revive = (key: StoredKey): ApiKey => ({
  ...key,
  createdAt: new Date(key.createdAt),
  expiresAt: key.expiresAt === null ? null : new Date(key.expiresAt),
  revokedAt: key.revokedAt === null ? null : new Date(key.revokedAt),
});
