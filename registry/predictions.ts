import { sql, type Insertable, type Kysely, type Selectable } from 'kysely';
import type { Database, PredictionRole, PredictionTable } from './tables.ts';

export type { PredictionRole } from './tables.ts';
/** Roles whose predictions went to a caller. */
export const ANSWERED: readonly PredictionRole[] = ['champion', 'canary', 'pinned'];

export type PredictionRow = Insertable<PredictionTable>;
export type Prediction = Selectable<PredictionTable>;

/** First instant of the month of `at`, and of the next one (UTC). */
export function monthOf(at: Date): { name: string; from: string; to: string } {
  const from = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1));
  const to = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1));
  const month = String(from.getUTCMonth() + 1).padStart(2, '0');
  return {
    name: `prediction_y${from.getUTCFullYear()}m${month}`,
    from: from.toISOString(),
    to: to.toISOString(),
  };
}

/** Creates the partition of the month of `at` where it is missing. Safe to race. */
export async function ensurePredictionMonth(db: Kysely<Database>, at: Date): Promise<void> {
  const { name, from, to } = monthOf(at);
  await db.transaction().execute(async (trx) => {
    // Two creators of one partition would dead-lock or fail: the advisory lock puts them in a row.
    await sql`select pg_advisory_xact_lock(hashtext(${name}))`.execute(trx);
    await sql`create table if not exists ${sql.table(name)} partition of prediction
      for values from (${sql.lit(from)}) to (${sql.lit(to)})`.execute(trx);
  });
}

/** Stores predictions; a row that is already there (same id and time) is left alone: exactly once. */
export async function insertPredictions(
  db: Kysely<Database>,
  rows: readonly PredictionRow[],
): Promise<void> {
  const json = rows.map((row) => Buffer.from(JSON.stringify(row)));
  if (rows.length > 0) await insertPredictionJson(db, json);
}

/** jsonb in PostgreSQL's binary format: a version, then text. Bytes of text are sent as they are. */
const JSONB_ARRAY = Buffer.from('\u0001[');
const [COMMA, END] = [Buffer.from(','), Buffer.from(']')];

/**
 * The same of rows that are JSON already, which travel as one parameter. Their answers may be JSON or, as earlier releases
 * spooled them, its text; jsonb refuses what no text of PostgreSQL can hold, which would fail who reads others.
 */
export async function insertPredictionJson(
  db: Kysely<Database>,
  json: readonly Buffer[],
): Promise<void> {
  const parts = json.flatMap((row, i) => [i === 0 ? JSONB_ARRAY : COMMA, row]);
  const rows = Buffer.concat([...parts, END]);
  await sql`
    insert into prediction (
      id, at, batch_id, model, version, generation, package_digest, instrument, as_of, request_id, key_id,
      replica_id, answer, duration_ms, role, input, pair_id, trial_id, error, asked_as_of, code_version)
    select
      id, at, batch_id, model, version, generation, package_digest, instrument, as_of, request_id, key_id,
      replica_id, case jsonb_typeof(answer) when 'string' then (answer #>> '{}')::jsonb else answer end::json,
      duration_ms, coalesce(role, 'champion'), coalesce(input, 'instrument'),
      pair_id, trial_id, error, asked_as_of, code_version
    from jsonb_to_recordset(${rows}::jsonb) as r (
      id text, at timestamptz, batch_id text, model text, version integer, generation integer,
      package_digest text, instrument text, as_of timestamptz, request_id text, key_id text,
      replica_id text, answer jsonb, duration_ms float8, role text, input text, pair_id text,
      trial_id text, error text, asked_as_of timestamptz, code_version text)
    on conflict (id, at) do nothing`.execute(db);
}

export interface PredictionFilter {
  readonly model: string;
  readonly instrument?: string | undefined;
  readonly version?: number | undefined;
  /** Absent: predictions that were answered; a role shows its failures too. */
  readonly role?: PredictionRole | undefined;
  /** When it was answered: wall clock. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** What it was made as of: market time. */
  readonly asOfFrom?: Date | undefined;
  readonly asOfTo?: Date | undefined;
  /** Only rows strictly older than this place: (at, id) of the last row seen. */
  readonly before?: { readonly at: Date; readonly id: string } | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listPredictions(
  db: Kysely<Database>,
  filter: PredictionFilter,
): Promise<Prediction[]> {
  let query = db.selectFrom('prediction').selectAll().where('model', '=', filter.model);
  if (filter.instrument !== undefined) query = query.where('instrument', '=', filter.instrument);
  if (filter.version !== undefined) query = query.where('version', '=', filter.version);
  query =
    filter.role === undefined
      ? query.where('role', 'in', ANSWERED).where('error', 'is', null)
      : query.where('role', '=', filter.role);
  if (filter.from) query = query.where('at', '>=', filter.from);
  if (filter.to) query = query.where('at', '<', filter.to);
  if (filter.asOfFrom) query = query.where('as_of', '>=', filter.asOfFrom);
  if (filter.asOfTo) query = query.where('as_of', '<', filter.asOfTo);
  if (filter.before) {
    const { at, id } = filter.before;
    query = query.where((eb) =>
      eb.or([eb('at', '<', at), eb.and([eb('at', '=', at), eb('id', '<', id)])]),
    );
  }
  return query.orderBy('at', 'desc').orderBy('id', 'desc').limit(filter.limit).execute();
}
