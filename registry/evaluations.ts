/** Versions judged again, on rows that came after all they know. */
import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import type { VersionEvaluationTable } from './tables.ts';

export type VersionEvaluation = Selectable<VersionEvaluationTable>;

export interface NewEvaluation {
  /** ULID. */
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly champion: number | null;
  readonly from: Date | null;
  readonly to: Date | null;
  readonly asOf: Date;
  readonly actor: string;
  readonly requestId: string | undefined;
}

/** Writes what was asked for, with its audit. */
export async function createEvaluation(trx: Trx, input: NewEvaluation): Promise<void> {
  const { id, model, version, champion, from, to, asOf, actor, requestId } = input;
  await trx
    .insertInto('version_evaluation')
    .values({
      ...{ id, model, version, champion, actor },
      decided_from: from,
      decided_to: to,
      as_of: asOf,
      status: 'queued',
      request_id: requestId ?? null,
    })
    .execute();
  await recordAudit(trx, {
    actor,
    action: 'version.evaluate',
    object: `version/${model}/${version}`,
    after: { evaluation: id, from, to },
    requestId,
  });
}

/** Throws `evaluation.unknown`; of another model than `model` too. */
export async function evaluationOrThrow(
  db: Db,
  id: string,
  model?: string,
): Promise<VersionEvaluation> {
  const row = await db
    .selectFrom('version_evaluation')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row && (model === undefined || row.model === model)) return row;
  const of = model === undefined ? '' : ` of ${model}`;
  throw new RatchetError('evaluation.unknown', `there is no evaluation ${id}${of}`);
}

export interface EvaluationQuery {
  readonly limit: number;
  readonly version?: number | undefined;
  /** Id of the last one of the page before. */
  readonly before?: string | undefined;
}

/** Those of a model, newest first. */
export function listEvaluations(
  db: Db,
  model: string,
  { limit, version, before }: EvaluationQuery,
): Promise<VersionEvaluation[]> {
  return db
    .selectFrom('version_evaluation')
    .selectAll()
    .where('model', '=', model)
    .$if(version !== undefined, (q) => q.where('version', '=', version ?? 0))
    .$if(before !== undefined, (q) => q.where('id', '<', before ?? ''))
    .orderBy('id', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
}

/** Ids of those that no workflow has begun, oldest first. */
export async function queuedEvaluations(db: Db, before: Date, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('version_evaluation')
    .select('id')
    .where('status', '=', 'queued')
    .where('created_at', '<', before)
    .orderBy('created_at')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** Says that it is under way; one that ended stays as it ended. */
export async function beginEvaluation(db: Db, id: string): Promise<VersionEvaluation> {
  await db
    .updateTable('version_evaluation')
    .set({ status: 'running' })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .execute();
  return evaluationOrThrow(db, id);
}

export type EvaluationEnd =
  | {
      readonly status: 'completed';
      readonly message: string | null;
      readonly verdict: string;
      readonly metrics: Readonly<Record<string, number | null>>;
      readonly evaluationUri: string;
      readonly reportUri: string;
    }
  | { readonly status: 'failed'; readonly message: string };

/** Writes how it ended. The first end stays. */
export function endEvaluation(db: Db, id: string, end: EvaluationEnd): Promise<void> {
  const found =
    end.status === 'completed'
      ? {
          verdict: end.verdict,
          metrics: JSON.stringify(end.metrics),
          evaluation_uri: end.evaluationUri,
          report_uri: end.reportUri,
        }
      : {};
  return inTransaction(db, async (trx) => {
    await trx
      .updateTable('version_evaluation')
      .set({ status: end.status, message: end.message, finished_at: sql`now()`, ...found })
      .where('id', '=', id)
      .where('status', 'in', ['queued', 'running'])
      .execute();
  });
}
