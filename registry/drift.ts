import { createHash } from 'node:crypto';
import { sql, type Selectable } from 'kysely';
import { PAGE_MAX } from './audit.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import type { DriftCalibrationTable, DriftReportTable } from './tables.ts';

export type DriftReportRow = Selectable<DriftReportTable>;
export type DriftCalibrationRow = Selectable<DriftCalibrationTable>;

/** A report by what it is about: the same model, version and instant are the same report. */
export function driftReportId(model: string, version: number, asOf: Date): string {
  const key = `${model}\n${version}\n${asOf.toISOString()}`;
  return `drift-${createHash('sha256').update(key).digest('hex').slice(0, 26)}`;
}

export interface NewDriftReport {
  readonly model: string;
  readonly version: number;
  readonly asOf: Date;
  readonly verdict: DriftReportTable['verdict'];
  readonly signals: readonly string[];
  readonly words: readonly string[];
  /** `DriftReport` of core/drift. */
  readonly report: unknown;
  /** State of the sequential test after it; null: there is no test yet. */
  readonly state: unknown;
  readonly page: { readonly uri: string; readonly sha256: string; readonly bytes: number };
}

/** Keeps a report; of two for one version and instant the first stays, and is what comes back. */
export async function recordDriftReport(
  db: Db,
  input: NewDriftReport,
): Promise<{ readonly row: DriftReportRow; readonly added: boolean }> {
  const id = driftReportId(input.model, input.version, input.asOf);
  const added = await db
    .insertInto('drift_report')
    .values({
      id,
      model: input.model,
      version: input.version,
      as_of: input.asOf,
      verdict: input.verdict,
      signals: JSON.stringify(input.signals),
      words: JSON.stringify(input.words),
      report: JSON.stringify(input.report),
      state: input.state === null ? null : JSON.stringify(input.state),
      page_uri: input.page.uri,
      page_sha256: input.page.sha256,
      page_bytes: input.page.bytes,
    })
    .onConflict((oc) => oc.column('id').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (added) return { row: added, added: true };
  const row = await db
    .selectFrom('drift_report')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return { row, added: false };
}

/** One report of a model. */
export function getDriftReport(
  db: Db,
  model: string,
  id: string,
): Promise<DriftReportRow | undefined> {
  return db
    .selectFrom('drift_report')
    .selectAll()
    .where('model', '=', model)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Keeps what the lifecycle made of a report's signals; of several looks the newest stands. */
export async function markConsidered(
  db: Db,
  id: string,
  considered: 'retrain' | 'wait',
): Promise<void> {
  await db.updateTable('drift_report').set({ considered }).where('id', '=', id).execute();
}

/** The newest report of a version before an instant of market time. */
export function driftReportBefore(
  db: Db,
  model: string,
  version: number,
  asOf: Date,
): Promise<DriftReportRow | undefined> {
  return db
    .selectFrom('drift_report')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .where('as_of', '<', asOf)
    .orderBy('as_of', 'desc')
    .limit(1)
    .executeTakeFirst();
}

const SUMMARY = [
  'id',
  'model',
  'version',
  'as_of',
  'verdict',
  'signals',
  'words',
  'considered',
  'created_at',
] as const;
export type DriftReportSummary = Pick<DriftReportRow, (typeof SUMMARY)[number]>;

export interface DriftReportQuery {
  readonly model: string;
  readonly limit: number;
  readonly version?: number | undefined;
  /** Only reports of this market time or before it. */
  readonly asOf?: Date | undefined;
  /** (asOf, version) of the last row of the page before. */
  readonly before?: { readonly asOf: Date; readonly version: number } | undefined;
}

/** Newest market time first, of one time the newest version first. */
export function listDriftReports(db: Db, query: DriftReportQuery): Promise<DriftReportSummary[]> {
  const { model, limit, version, asOf, before } = query;
  let select = db.selectFrom('drift_report').select(SUMMARY).where('model', '=', model);
  if (version !== undefined) select = select.where('version', '=', version);
  if (asOf) select = select.where('as_of', '<=', asOf);
  if (before) {
    select = select.where((eb) =>
      eb.or([
        eb('as_of', '<', before.asOf),
        eb.and([eb('as_of', '=', before.asOf), eb('version', '<', before.version)]),
      ]),
    );
  }
  return select
    .orderBy('as_of', 'desc')
    .orderBy('version', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
}

/** The calibration of a version's sequential test; undefined: it has none yet. */
export function driftCalibration(
  db: Db,
  model: string,
  version: number,
): Promise<DriftCalibrationRow | undefined> {
  return db
    .selectFrom('drift_calibration')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .orderBy('created_at')
    .orderBy('key')
    .limit(1)
    .executeTakeFirst();
}

export interface NewDriftCalibration {
  readonly model: string;
  readonly version: number;
  readonly packageDigest: string;
  /** Names what it was made of. */
  readonly key: string;
  readonly calibration: unknown;
}

/**
 * Keeps a calibration. A version is calibrated once: where one is there already, it stays and is what
 * comes back. Two at once take turns.
 */
export function keepDriftCalibration(
  db: Db,
  input: NewDriftCalibration,
): Promise<DriftCalibrationRow> {
  return inTransaction(db, async (trx) => {
    const lock = JSON.stringify(['drift_calibration', input.model, input.version]);
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${lock}, 0))`.execute(trx);
    const kept = await driftCalibration(trx, input.model, input.version);
    if (kept) return kept;
    return trx
      .insertInto('drift_calibration')
      .values({
        model: input.model,
        version: input.version,
        package_digest: input.packageDigest,
        key: input.key,
        calibration: JSON.stringify(input.calibration),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}
