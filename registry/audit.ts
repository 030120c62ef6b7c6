import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import type { Db, Trx } from './in-transaction.ts';
import type { AuditTable } from './tables.ts';

export interface AuditEntry {
  /** Id of the key, or `workflow` / `system` where no person asked. */
  readonly actor: string;
  /** Verb phrase, e.g. `model.create`, `version.delete`, `champion.switch`. */
  readonly action: string;
  /** What it was done to, e.g. `model/index-gspc`, `version/index-gspc/3`. */
  readonly object: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly requestId?: string | undefined;
  readonly workflowId?: string | undefined;
}

export type AuditRow = Selectable<AuditTable>;

/** Longest page of any list of the registry. */
export const PAGE_MAX = 500;

/** Writes the record; takes a transaction so that it cannot stand apart from the change itself. */
export async function recordAudit(trx: Trx, entry: AuditEntry): Promise<void> {
  await trx
    .insertInto('audit')
    .values({
      actor: entry.actor,
      action: entry.action,
      object: entry.object,
      before: entry.before === undefined ? null : JSON.stringify(entry.before),
      after: entry.after === undefined ? null : JSON.stringify(entry.after),
      request_id: entry.requestId ?? null,
      workflow_id: entry.workflowId ?? null,
    })
    .execute();
}

/** A page was to go on behind a row that is not there. */
export const unknownCursor = (cursor: string): RatchetError =>
  new RatchetError('query.cursor', `${cursor} is no \`nextCursor\` of a page before`);

/**
 * Newest first: by time, by id where it is the same (a transaction writes down when it began, and may write later than
 * one that began after it). `before` is the id of the last row of the page before. Errors: `query.cursor`.
 */
export async function listAudit(
  db: Db,
  query: { limit: number; before?: string; object?: string; actor?: string },
): Promise<AuditRow[]> {
  const { before } = query;
  let select = db.selectFrom('audit').selectAll();
  if (before !== undefined) {
    const known = db.selectFrom('audit').select('id').where('id', '=', before);
    if (!(await known.executeTakeFirst())) throw unknownCursor(before);
    // Compared by the database: its times are finer than a Date.
    const last = sql`(SELECT at, id FROM audit WHERE id = ${before})`;
    select = select.where(sql<boolean>`(at, id) < ${last}`);
  }
  return select
    .$if(query.object !== undefined, (q) => q.where('object', '=', query.object ?? ''))
    .$if(query.actor !== undefined, (q) => q.where('actor', '=', query.actor ?? ''))
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(Math.min(query.limit, PAGE_MAX))
    .execute();
}
