import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { enqueueOutbox } from './outbox.ts';
import type { Attachment, ModelVersionTable } from './tables.ts';

export type ModelVersion = Selectable<ModelVersionTable>;

export class VersionError extends RatchetError {}

export interface Reservation {
  readonly model: string;
  /** Experiment id + model: a repeated reservation gives the same number. */
  readonly reservationKey: string;
  readonly experimentId: string;
  readonly family: string;
  readonly seed: number | null;
  readonly instruments: readonly string[];
  readonly specHash: string;
  readonly datasetHash: string;
}

/**
 * Reserves the next version number of a model (1, 2, 3, ...: no doubles, no gaps, never used again).
 * The same reservation key gives the same number. Reservations of one model take turns.
 */
export function reserveVersion(db: Db, input: Reservation): Promise<{ readonly version: number }> {
  return inTransaction(db, async (trx) => {
    const model = await trx
      .selectFrom('registered_model')
      .select('name')
      .where('name', '=', input.model)
      .where('retired_at', 'is', null)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (!model) throw new VersionError('model.unknown', `there is no model ${input.model}`);
    const reserved = await trx
      .selectFrom('model_version')
      .select('version')
      .where('model', '=', input.model)
      .where('reservation_key', '=', input.reservationKey)
      .executeTakeFirst();
    if (reserved) return reserved;
    return trx
      .insertInto('model_version')
      .values((eb) => ({
        model: input.model,
        version: eb
          .selectFrom('model_version')
          .select(sql<number>`coalesce(max(version), 0) + 1`.as('next'))
          .where('model', '=', input.model),
        status: 'reserved',
        reservation_key: input.reservationKey,
        experiment_id: input.experimentId,
        family: input.family,
        seed: input.seed,
        instruments: JSON.stringify(input.instruments),
        spec_hash: input.specHash,
        dataset_hash: input.datasetHash,
      }))
      .returning('version')
      .executeTakeFirstOrThrow();
  });
}

export interface Registration {
  readonly model: string;
  readonly version: number;
  readonly manifestUri: string;
  /** sha256 of manifest.json. */
  readonly packageDigest: string;
  readonly packageBytes: number;
  readonly evaluationUri: string;
  /** The report, plots, and the test rows that drift is measured against. */
  readonly attachments?: readonly Attachment[];
  /** Flat, e.g. `h7.rmse`; a value that is not finite is null. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly beatsNaive: boolean;
  readonly verdict: string;
  readonly trainedThrough: string;
  readonly actor: string;
  readonly workflowId?: string | undefined;
}

/**
 * Turns a reserved number into a registered version: its facts, audit and the mirror's message in
 * one transaction. A repeat with the same package changes nothing (`changed: false`).
 *
 * @throws VersionError `version.unknown` (never reserved), `version.deleted`, `version.conflict` (the
 *   number already names another package)
 */
export function registerVersion(
  db: Db,
  input: Registration,
): Promise<{ readonly version: ModelVersion; readonly changed: boolean }> {
  return inTransaction(db, async (trx) => {
    const before = await lockVersion(trx, input.model, input.version);
    if (before.status === 'deleted') throw deleted(before);
    if (before.status === 'registered') {
      if (before.package_digest === input.packageDigest) {
        return { version: before, changed: false };
      }
      throw new VersionError(
        'version.conflict',
        `version ${input.version} of ${input.model} already names another package`,
        { details: { registered: before.package_digest, offered: input.packageDigest } },
      );
    }
    const version = await trx
      .updateTable('model_version')
      .set({
        status: 'registered',
        manifest_uri: input.manifestUri,
        package_digest: input.packageDigest,
        package_bytes: input.packageBytes,
        evaluation_uri: input.evaluationUri,
        attachments: JSON.stringify(input.attachments ?? []),
        metrics: JSON.stringify(finiteMetrics(input.metrics)),
        beats_naive: input.beatsNaive,
        verdict: input.verdict,
        trained_through: input.trainedThrough,
      })
      .where('model', '=', input.model)
      .where('version', '=', input.version)
      .returningAll()
      .executeTakeFirstOrThrow();
    await recordAudit(trx, {
      actor: input.actor,
      action: 'version.register',
      object: versionObject(version),
      after: { packageDigest: input.packageDigest, experiment: version.experiment_id },
      workflowId: input.workflowId,
    });
    const { model, version: number } = input;
    await enqueueOutbox(trx, { kind: 'version-registered', model, version: number });
    return { version, changed: true };
  });
}

function finiteMetrics(metrics: Registration['metrics']): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
  );
}

/** Locks a version, whatever its status; throws `version.unknown`. */
export async function lockVersion(trx: Trx, model: string, version: number): Promise<ModelVersion> {
  const row = await trx
    .selectFrom('model_version')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (!row) throw unknownVersion(model, version);
  return row;
}

/** A registered version. */
export function getVersion(
  db: Db,
  model: string,
  version: number,
): Promise<ModelVersion | undefined> {
  return registered(db, model).where('version', '=', version).executeTakeFirst();
}

export async function getVersionOrThrow(
  db: Db,
  model: string,
  version: number,
): Promise<ModelVersion> {
  const row = await getVersion(db, model, version);
  if (!row) throw unknownVersion(model, version);
  return row;
}

/** Registered versions, newest first; `before` is the last number of the page before. */
export function listVersions(
  db: Db,
  model: string,
  query: { limit: number; before?: number | undefined },
): Promise<ModelVersion[]> {
  let select = registered(db, model);
  if (query.before !== undefined) select = select.where('version', '<', query.before);
  return select.orderBy('version', 'desc').limit(Math.min(query.limit, PAGE_MAX)).execute();
}

/** What an experiment registered, by model. */
export function versionsOfExperiment(db: Db, experimentId: string): Promise<ModelVersion[]> {
  return db
    .selectFrom('model_version')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .where('status', '=', 'registered')
    .orderBy('model')
    .orderBy('version')
    .execute();
}

export interface ComparedVersion {
  readonly version: number;
  /** null: the version has no such metric, or it was not finite. */
  readonly value: number | null;
  readonly champion: boolean;
}

/**
 * Registered versions by one metric, best first; those without the metric come last. Values of
 * versions that were evaluated on different rows compare only roughly: the gate compares on equal rows.
 */
export async function compareVersions(
  db: Db,
  model: string,
  metric: string,
  direction: 'higher' | 'lower',
): Promise<ComparedVersion[]> {
  const [versions, state] = await Promise.all([
    registered(db, model).orderBy('version', 'desc').limit(PAGE_MAX).execute(),
    db
      .selectFrom('model_state')
      .select('champion_version')
      .where('model', '=', model)
      .executeTakeFirst(),
  ]);
  const compared = versions.map(({ version, metrics }) => ({
    version,
    value: (Object.hasOwn(metrics ?? {}, metric) ? metrics?.[metric] : null) ?? null,
    champion: version === state?.champion_version,
  }));
  const sign = direction === 'higher' ? -1 : 1;
  const rank = (value: number | null): number => (value === null ? Infinity : sign * value);
  return compared.sort((a, b) => {
    const difference = rank(a.value) - rank(b.value);
    return Number.isNaN(difference) || difference === 0 ? b.version - a.version : difference;
  });
}

function registered(db: Db, model: string) {
  return db
    .selectFrom('model_version')
    .selectAll()
    .where('model', '=', model)
    .where('status', '=', 'registered');
}

/** What the audit calls a version. */
export const versionObject = (row: { readonly model: string; readonly version: number }): string =>
  `version/${row.model}/${row.version}`;

export function unknownVersion(model: string, version: number): VersionError {
  return new VersionError('version.unknown', `${model} has no version ${version}`);
}

function deleted(row: ModelVersion): VersionError {
  return new VersionError(
    'version.deleted',
    `version ${row.version} of ${row.model} was deleted; start a new experiment`,
  );
}
