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
  /** Compared with; null: there is none, or it is the version itself. */
  readonly champion: number | null;
  /** It serves the model now. */
  readonly serving: boolean;
  readonly from: Date | null;
  readonly to: Date | null;
  readonly asOf: Date;
  readonly actor: string;
  readonly requestId: string | undefined;
}

/** So many of one model may be open at once: each reads all bars of its instruments and keeps a worker busy for minutes. */
export const OPEN_EVALUATIONS = 4;

/**
 * Writes what was asked for, with its audit. An open one that asks the same stands for it: nothing is written then.
 * Throws `evaluation.too-many`.
 *
 * @returns the id of the row that answers the question
 */
export async function createEvaluation(trx: Trx, input: NewEvaluation): Promise<string> {
  const { id, model, version, champion, serving, from, to, asOf, actor, requestId } = input;
  // Those who ask at once take turns, so that each sees what the one before it wrote.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`evaluate/${model}`}, 0))`.execute(trx);
  const open = await trx
    .selectFrom('version_evaluation')
    .selectAll()
    .where('model', '=', model)
    .where('finished_at', 'is', null)
    .execute();
  const same = open.find((row) => asksTheSame(row, input));
  if (same) return same.id;
  if (open.length >= OPEN_EVALUATIONS) throw tooMany(model);
  await trx
    .insertInto('version_evaluation')
    .values({
      ...{ id, model, version, champion, serving, actor },
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
  return id;
}

const asksTheSame = (
  row: VersionEvaluation,
  { version, champion, from, to }: NewEvaluation,
): boolean =>
  row.version === version &&
  row.champion === champion &&
  row.decided_from?.getTime() === from?.getTime() &&
  row.decided_to?.getTime() === to?.getTime();

const tooMany = (model: string): RatchetError =>
  new RatchetError(
    'evaluation.too-many',
    `${OPEN_EVALUATIONS} evaluations of ${model} have not ended; wait for one, or cancel it`,
    { permanent: false },
  );

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

/** Says up to when bars that are read were known. The first one that says so is believed. */
export async function fixKnowledge(db: Db, id: string, knownAt: Date): Promise<void> {
  await db
    .updateTable('version_evaluation')
    .set({ known_at: knownAt })
    .where('id', '=', id)
    .where('known_at', 'is', null)
    .execute();
}

/** ms UTC: bars known by then are read. Before the newest ones were brought it is when they were asked for. */
export const knownAtOf = ({
  known_at: known,
  as_of: asked,
}: Pick<VersionEvaluation, 'known_at' | 'as_of'>): number => (known ?? asked).getTime();

export type EvaluationEnd =
  | {
      readonly status: 'completed';
      readonly message: string | null;
      readonly verdict: string;
      readonly metrics: Readonly<Record<string, number | null>>;
      readonly evaluationUri: string;
      readonly reportUri: string;
    }
  | { readonly status: 'failed' | 'cancelled'; readonly message: string };

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
