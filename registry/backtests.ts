/** Backtests: what was asked for, how far it is, and what came of it. */
import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { askedModels, backtestSpecSchema, type BacktestSpec } from '../core/spec/index.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import {
  appendRunEvent,
  readRunEvents,
  type NewRunEvent,
  type RunEvent,
  type RunEvents,
} from './run-events.ts';
import type {
  BacktestEventTable,
  BacktestStatus,
  BacktestTable,
  StoredFile,
  StoredStrategyResult,
} from './tables.ts';

export type Backtest = Selectable<BacktestTable>;
export type BacktestEvent = RunEvent<BacktestEventTable['kind']>;

export interface NewBacktest {
  /** ULID. */
  readonly id: string;
  readonly spec: BacktestSpec;
  readonly specHash: string;
  readonly workflowId: string;
  readonly actor: string;
  readonly requestId: string | undefined;
}

/** So many of one key may be open at once: each trains, asks and simulates on workers that all share. */
export const OPEN_BACKTESTS = 16;

/** Writes a queued backtest, with its audit; gives its id. Throws `backtest.too-many`. */
export async function createBacktest(trx: Trx, input: NewBacktest): Promise<string> {
  const { id, spec, specHash, workflowId, actor, requestId } = input;
  // Those of one key take turns, so that the last place is given once.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`backtests/${actor}`}, 0))`.execute(
    trx,
  );
  const { open } = await trx
    .selectFrom('backtest')
    .select((eb) => eb.fn.countAll<string>().as('open'))
    .where('actor', '=', actor)
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirstOrThrow();
  if (Number(open) >= OPEN_BACKTESTS) {
    const message = `${open} backtests of this key have not ended; ask again when one has`;
    throw new RatchetError('backtest.too-many', message);
  }
  await trx
    .insertInto('backtest')
    .values({
      ...{ id, actor, name: spec.name, status: 'queued' as const },
      spec: JSON.stringify(spec),
      spec_hash: specHash,
      workflow_id: workflowId,
      models: [...askedModels(spec)],
      request_id: requestId ?? null,
    })
    .execute();
  const after = { name: spec.name, specHash };
  const what = { actor, action: 'backtest.create', object: `backtest/${id}`, after };
  await recordAudit(trx, { ...what, requestId, workflowId });
  return id;
}

/** Throws `backtest.unknown`. */
export async function backtestOrThrow(db: Db, id: string): Promise<Backtest> {
  const row = await db.selectFrom('backtest').selectAll().where('id', '=', id).executeTakeFirst();
  if (row) return row;
  throw new RatchetError('backtest.unknown', `there is no backtest ${id}`);
}

/** Its spec; defaults that came after it was written are filled in. */
export const backtestSpecOf = ({ spec }: Pick<Backtest, 'spec'>): BacktestSpec =>
  backtestSpecSchema.parse(spec);

export interface BacktestQuery {
  readonly limit: number;
  readonly name?: string | undefined;
  readonly status?: BacktestStatus | undefined;
  /** Only those that ask or train one of these models, by name; older ones by the template of its group. */
  readonly models?: readonly string[] | undefined;
  /** Id of the last one of the page before. */
  readonly before?: string | undefined;
}

/** Newest first. */
export function listBacktests(
  db: Db,
  { limit, name, status, models, before }: BacktestQuery,
): Promise<Backtest[]> {
  let select = db.selectFrom('backtest').selectAll();
  if (name !== undefined) select = select.where('name', '=', name);
  if (status !== undefined) select = select.where('status', '=', status);
  if (models !== undefined) {
    select = select.where(sql<boolean>`models && ${[...models]}`);
  }
  if (before !== undefined) select = select.where('id', '<', before);
  return select.orderBy('id', 'desc').limit(Math.min(limit, PAGE_MAX)).execute();
}

/** Says that it is under way. Throws `backtest.ended` of one that has ended: it stays as it ended, and nothing runs for it. */
export async function beginBacktest(db: Db, id: string): Promise<Backtest> {
  await db
    .updateTable('backtest')
    .set({ status: 'running' })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .execute();
  const row = await backtestOrThrow(db, id);
  if (row.status === 'running') return row;
  throw new RatchetError('backtest.ended', `the backtest ${id} has ended (${row.status})`);
}

export type BacktestEnd =
  | {
      readonly status: 'completed';
      readonly message: string;
      readonly results: readonly StoredStrategyResult[];
      readonly files: readonly StoredFile[];
      readonly warnings: readonly string[];
    }
  | { readonly status: 'failed' | 'cancelled'; readonly message: string };

/** Writes how it ended, and that as its last event. The first end stays. */
export function endBacktest(db: Db, id: string, end: BacktestEnd): Promise<void> {
  const { status, message } = end;
  const found =
    end.status === 'completed'
      ? {
          results: JSON.stringify(end.results),
          files: JSON.stringify(end.files),
          warnings: JSON.stringify(end.warnings),
        }
      : {};
  return inTransaction(db, async (trx) => {
    const ended = await trx
      .updateTable('backtest')
      .set({ status, message, finished_at: sql`now()`, ...found })
      .where('id', '=', id)
      .where('status', 'in', ['queued', 'running'])
      .executeTakeFirst();
    if (ended.numUpdatedRows === 0n) return;
    await appendBacktestEvent(trx, id, { kind: 'done', key: 'done', payload: { status, message } });
  });
}

const EVENTS: RunEvents = { table: 'backtest_event', owner: 'backtest_id', prefix: 'backtest' };

/** Appends one row of progress. */
export const appendBacktestEvent = (
  db: Db | Trx,
  id: string,
  event: NewRunEvent<BacktestEvent['kind']>,
): Promise<void> => appendRunEvent(db, EVENTS, id, event);

/** Rows after `after` ('0': all) in order. */
export const readBacktestEvents = (
  db: Db,
  id: string,
  page?: { readonly after?: string; readonly limit?: number },
): Promise<readonly BacktestEvent[]> => readRunEvents(db, EVENTS, id, page);
