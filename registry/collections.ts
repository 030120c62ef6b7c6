import { createHash } from 'node:crypto';
import type { Insertable, Selectable } from 'kysely';
import type { Timeframe } from '../core/bars/bars.ts';
import { canonicalJson } from '../core/spec/canonical-json.ts';
import type { Db } from './in-transaction.ts';
import type { CollectionTable } from './tables.ts';

export type Collection = Selectable<CollectionTable>;
export type NewCollection = Insertable<CollectionTable>;

/** Collected data is fresh for a day (row A6 of the mission). */
export const COLLECTION_TTL_MS = 24 * 3_600_000;

/**
 * Key under which a dataset's bars are stored: its name and a digest of what defines it, so that bars
 * read through an older definition never mix with those of a newer one.
 */
export function seriesSource(dataset: {
  readonly name: string;
  readonly source: string;
  readonly params: unknown;
  readonly calendar: string;
}): string {
  const { name, source, params, calendar } = dataset;
  const definition = canonicalJson([source, params, calendar]);
  return `${name}#${createHash('sha256').update(definition).digest('hex').slice(0, 12)}`;
}

export interface CollectionKey {
  readonly dataset: string;
  readonly source: string;
  readonly instrument: string;
  readonly timeframe: Timeframe;
}

/** Opens the record of one attempt: `addNewRows` says what it changed, `finishCollection` how it went. */
export async function startCollection(
  db: Db,
  key: CollectionKey,
  role: string,
  startedAt: number,
): Promise<string> {
  const at = new Date(startedAt);
  const { id } = await db
    .insertInto('collection')
    .values({
      ...key,
      role,
      // Until it is finished an attempt counts as failed: a crash leaves it so.
      status: 'failed',
      rows: 0,
      new_rows: 0,
      notes: '[]',
      error: 'interrupted',
      started_at: at,
      finished_at: at,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function finishCollection(
  db: Db,
  id: string,
  outcome: {
    readonly status: CollectionTable['status'];
    readonly rows: number;
    readonly notes: readonly string[];
    readonly error?: string | undefined;
    readonly finishedAt: number;
  },
): Promise<void> {
  await db
    .updateTable('collection')
    .set({
      status: outcome.status,
      rows: outcome.rows,
      notes: JSON.stringify(outcome.notes),
      error: outcome.error ?? null,
      finished_at: new Date(outcome.finishedAt),
    })
    .where('id', '=', id)
    .execute();
}

/** The newest attempt that answered (bars or none) at most COLLECTION_TTL_MS before `now`. */
export async function findFreshCollection(
  db: Db,
  key: CollectionKey,
  now: number,
): Promise<Collection | undefined> {
  return db
    .selectFrom('collection')
    .selectAll()
    .where('dataset', '=', key.dataset)
    .where('source', '=', key.source)
    .where('instrument', '=', key.instrument)
    .where('timeframe', '=', key.timeframe)
    .where('status', 'in', ['delivered', 'empty'])
    .where('finished_at', '>', new Date(now - COLLECTION_TTL_MS))
    .orderBy('finished_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Has the source ever delivered the series, whole? What an interrupted first attempt left does not count. */
export async function wasDelivered(db: Db, key: CollectionKey): Promise<boolean> {
  const row = await db
    .selectFrom('collection')
    .select('id')
    .where('dataset', '=', key.dataset)
    .where('source', '=', key.source)
    .where('instrument', '=', key.instrument)
    .where('timeframe', '=', key.timeframe)
    .where('status', '=', 'delivered')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** When the newest attempt that answered was finished (ms UTC); undefined: none did. */
export async function lastDelivery(db: Db, key: CollectionKey): Promise<number | undefined> {
  const row = await db
    .selectFrom('collection')
    .select((eb) => eb.fn.max('finished_at').as('at'))
    .where('dataset', '=', key.dataset)
    .where('source', '=', key.source)
    .where('instrument', '=', key.instrument)
    .where('timeframe', '=', key.timeframe)
    .where('status', 'in', ['delivered', 'empty'])
    .executeTakeFirst();
  return row?.at?.getTime();
}

/**
 * Adds what an attempt changed, in the transaction that changed it: a crash between the two would leave
 * newer bars under the name of the older state.
 */
export async function addNewRows(trx: Db, id: string, newRows: number): Promise<void> {
  await trx
    .updateTable('collection')
    .set((eb) => ({ new_rows: eb('new_rows', '+', newRows) }))
    .where('id', '=', id)
    .execute();
}

/**
 * Names the state of a series' bars: how many rows were ever added or changed; '0': none. Appenders of a
 * series wait for each other, so the sum rises with every change, whichever attempt began first.
 */
export async function seriesState(db: Db, key: CollectionKey): Promise<string> {
  const row = await db
    .selectFrom('collection')
    .select((eb) => eb.fn.sum<string>('new_rows').as('changes'))
    .where('dataset', '=', key.dataset)
    .where('source', '=', key.source)
    .where('instrument', '=', key.instrument)
    .where('timeframe', '=', key.timeframe)
    .executeTakeFirst();
  return row?.changes ?? '0';
}

/** Who delivered an instrument, newest first. */
export async function listCollections(
  db: Db,
  instrument: string,
  limit = 50,
): Promise<readonly Collection[]> {
  return db
    .selectFrom('collection')
    .selectAll()
    .where('instrument', '=', instrument)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
