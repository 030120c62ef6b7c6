/** Reports of predictions that were served, computed again and compared. */
import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import type { ParityCause } from '../core/predict/index.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import type { Db, Trx } from './in-transaction.ts';
import type { ServedSpan } from './served-predictions.ts';
import type { ParityReportTable } from './tables.ts';

/**
 * How long after a bar became known to the registry an answer may still be made without it, ms: replicas poll every 10 s; a
 * delivery, and the reading of it, take a while.
 */
export const LATE_MS = 60_000;
/** Predictions of one report whose Monte-Carlo samples are drawn again: each takes some 50 ms. */
export const SAMPLES = 50;

/** How many predictions came to what. */
export interface ParityCounts {
  /** Predictions to replay when it began. */
  readonly total: number;
  /** Computed again: the sum of the three below. */
  readonly replayed: number;
  readonly identical: number;
  /** They say what an instant shortly before says: a replica hears of new bars some seconds after the registry. */
  readonly late: number;
  readonly different: number;
  /** Of bars and windows that the caller brought: they are not kept, so nothing can be replayed. */
  readonly callersOwn: number;
  /** With Monte-Carlo samples: of them only the forecast was compared, */
  readonly withSamples: number;
  /** except for these, whose samples were drawn again. */
  readonly samplesDrawn: number;
  /** Longest lateness, ms. */
  readonly latestMs: number;
  /** Differences by likely cause. */
  readonly byCause: Readonly<Partial<Record<ParityCause, number>>>;
}

export const NO_COUNTS: ParityCounts = {
  ...{ total: 0, replayed: 0, identical: 0, late: 0, different: 0, callersOwn: 0 },
  ...{ withSamples: 0, samplesDrawn: 0, latestMs: 0, byCause: {} },
};

/** The last prediction that was looked at: groups go by version and instrument, each by time. */
export interface ParityCursor {
  readonly version: number;
  readonly instrument: string;
  /** ISO; with the id the place inside of the group. */
  readonly at: string;
  readonly id: string;
}

export interface ParityReport extends Omit<
  Selectable<ParityReportTable>,
  'counts' | 'cursor' | 'samples' | 'late_ms'
> {
  readonly counts: ParityCounts;
  readonly cursor: ParityCursor | null;
  readonly samples: number;
  readonly lateMs: number;
}

export function parityReport(row: Selectable<ParityReportTable>): ParityReport {
  const { counts, cursor, late_ms: lateMs, ...rest } = row;
  return {
    ...rest,
    counts: { ...NO_COUNTS, ...(counts as Partial<ParityCounts>) },
    cursor: cursor as ParityCursor | null,
    lateMs,
  };
}

/** The predictions that a report is about. */
export function spanOf(report: ParityReport): ServedSpan {
  const { model, served_from: from, served_to: to } = report;
  const { recorded_after: after, recorded_to: newest } = report;
  return { model, from, to, recorded: newest === null ? undefined : { after, to: newest } };
}

export interface NewParityReport {
  readonly model: string;
  readonly from: Date;
  readonly to: Date;
  readonly lateMs: number;
  readonly samples: number;
  readonly actor: string;
}

/** So many of one model that people asked for may be open at once: each keeps a worker busy for minutes. */
export const OPEN_REPORTS = 4;

/** Writes what a person asked for, with its audit; gives its id. Throws `parity.too-many`. */
export async function createParityReport(
  trx: Trx,
  input: NewParityReport & { readonly id: string; readonly requestId: string | undefined },
): Promise<string> {
  const { id, model, from, to, actor, requestId } = input;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`parity/${model}`}, 0))`.execute(trx);
  const { open } = await trx
    .selectFrom('parity_report')
    .select((eb) => eb.fn.countAll<string>().as('open'))
    .where('model', '=', model)
    .where('slot', 'is', null)
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirstOrThrow();
  if (Number(open) >= OPEN_REPORTS) {
    const message = `${open} parity reports of ${model} have not ended; ask again when one has`;
    throw new RatchetError('parity.too-many', message);
  }
  await trx
    .insertInto('parity_report')
    .values({ ...parityColumns(input), id, request_id: requestId ?? null })
    .execute();
  await recordAudit(trx, {
    ...{ actor, requestId },
    action: 'model.parity',
    object: `model/${model}`,
    after: { report: id, from, to },
  });
  return id;
}

/** Columns of a report that nobody began. */
export const parityColumns = ({ model, from, to, lateMs, samples, actor }: NewParityReport) => ({
  ...{ model, samples, actor, status: 'queued' as const },
  ...{ served_from: from, served_to: to, late_ms: lateMs, counts: JSON.stringify(NO_COUNTS) },
});

/** Throws `parity.unknown`; of another model than `model` too. */
export async function parityReportOrThrow(
  db: Db,
  id: string,
  model?: string,
): Promise<ParityReport> {
  const row = await db
    .selectFrom('parity_report')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row && (model === undefined || row.model === model)) return parityReport(row);
  const of = model === undefined ? '' : ` of ${model}`;
  throw new RatchetError('parity.unknown', `there is no parity report ${id}${of}`);
}

/** Those of a model, newest first. */
export async function listParityReports(
  db: Db,
  model: string,
  { limit, before }: { readonly limit: number; readonly before?: string | undefined },
): Promise<ParityReport[]> {
  const rows = await db
    .selectFrom('parity_report')
    .selectAll()
    .where('model', '=', model)
    .$if(before !== undefined, (q) => q.where('id', '<', before ?? ''))
    .orderBy('id', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
  return rows.map(parityReport);
}

/** Says that it is under way; one that ended stays as it ended. */
export async function beginParity(db: Db, id: string, codeVersion: string): Promise<ParityReport> {
  await db
    .updateTable('parity_report')
    .set({ status: 'running', code_version: codeVersion })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .execute();
  return parityReportOrThrow(db, id);
}

/** Writes how it ended. The first end stays. */
export async function endParity(
  db: Db,
  id: string,
  end: { readonly status: 'completed' } | { readonly status: 'failed'; readonly message: string },
): Promise<void> {
  await db
    .updateTable('parity_report')
    .set({
      status: end.status,
      message: end.status === 'failed' ? end.message : null,
      finished_at: sql`now()`,
    })
    .where('id', '=', id)
    .where('status', 'in', ['queued', 'running'])
    .execute();
}
