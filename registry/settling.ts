/** Rows of settling: what is due, what happened, and which outcomes newer bars touch. Reading them: outcomes.ts. */
import { sql, type Insertable, type Selectable } from 'kysely';
import type { FactorRow } from '../core/bars/adjust.ts';
import { barsFromRows } from '../core/bars/build.ts';
import type { SourceRole } from '../core/bars/merge.ts';
import type { SourceCloses } from '../core/outcomes/closes.ts';
import { experimentSpecSchema, type ExperimentSpec } from '../core/spec/spec.ts';
import { readFactors, type BarSeries } from './bars.ts';
import type { Db } from './in-transaction.ts';
import type { OutcomeTable, PredictionTable, VersionScaleTable } from './tables.ts';

export type NewOutcome = Omit<Insertable<OutcomeTable>, 'settled_at'>;
export type Outcome = Selectable<OutcomeTable>;
export type VersionScale = Selectable<VersionScaleTable>;

export interface DuePrediction extends Pick<
  Selectable<PredictionTable>,
  | 'id'
  | 'at'
  | 'version'
  | 'instrument'
  | 'input'
  | 'role'
  | 'trial_id'
  | 'as_of'
  | 'answer'
  | 'unknown_horizons'
> {
  /** Horizons that have an outcome. */
  readonly settled: readonly number[];
}

/** A place in a list by (time, id). */
export interface Place {
  readonly asOf: Date;
  readonly id: string;
}

/**
 * Predictions of a model of which a horizon may be settled at `asOf` (market time), oldest decision first; all
 * roles. Not those of a caller's window, which no bars stand behind, and not those that failed.
 */
export async function duePredictions(
  db: Db,
  query: {
    readonly model: string;
    readonly asOf: Date;
    readonly after?: Place | undefined;
    readonly limit: number;
  },
): Promise<DuePrediction[]> {
  const { model, asOf, after, limit } = query;
  const place = after ? sql`(as_of, id) > (${after.asOf}, ${after.id})` : sql`TRUE`;
  const { rows } = await sql<DuePrediction>`
    SELECT id, at, version, instrument, input, role, trial_id, as_of, answer, unknown_horizons,
           ARRAY(SELECT DISTINCT horizon FROM outcome WHERE prediction_id = prediction.id) AS settled
    FROM prediction
    WHERE model = ${model} AND settle_after <= ${asOf} AND ${place}
      AND settle_after < 'infinity' AND input <> 'window' AND error IS NULL
    ORDER BY as_of, id LIMIT ${limit}`.execute(db);
  return rows;
}

/** Predictions of a model of which a horizon may still be settled one day. */
export async function countWaiting(db: Db, model: string): Promise<number> {
  const { rows } = await sql<{ waiting: number }>`
    SELECT count(*)::int AS waiting FROM prediction
    WHERE model = ${model} AND settle_after < 'infinity' AND input <> 'window' AND error IS NULL`.execute(
    db,
  );
  return rows[0]!.waiting;
}

const OUTCOME_COLUMNS = [
  ...['prediction_id', 'horizon', 'revision', 'model', 'version', 'role', 'trial_id', 'input'],
  ...['fallback', 'instrument', 'as_of', 'target_time', 'predicted_at', 'last_close'],
  ...['actual_close', 'forecast_change', 'actual_change', 'interval_low', 'interval_high'],
  ...['error', 'naive_error', 'scaled_loss', 'actual_direction', 'direction_hit', 'covered'],
  ...['position', 'signal_return', 'known_at', 'settled_as_of'],
];

/** Stores outcomes; one that is there already is left alone. How many were new. */
export async function insertOutcomes(db: Db, rows: readonly NewOutcome[]): Promise<number> {
  if (rows.length === 0) return 0;
  const columns = sql.join(OUTCOME_COLUMNS.map((name) => sql.ref(name)));
  // One parameter, whatever the number of rows.
  const { numAffectedRows } = await sql`
    INSERT INTO outcome (${columns})
    SELECT ${columns} FROM json_populate_recordset(NULL::outcome, ${JSON.stringify(rows)}::json)
    ON CONFLICT (prediction_id, horizon, revision) DO NOTHING`.execute(db);
  return Number(numAffectedRows ?? 0);
}

export interface SettledMark {
  readonly id: string;
  readonly at: Date;
  /** Market time; null: nothing is left to settle. */
  readonly settleAfter: Date | null;
  readonly unknownHorizons: number;
}

/** Notes when predictions are looked at next. */
export async function markSettled(db: Db, marks: readonly SettledMark[]): Promise<void> {
  if (marks.length === 0) return;
  const times = marks.map(({ at }) => at.getTime());
  // The constants tell the planner which months' partitions it need not look into.
  await sql`
    UPDATE prediction
    SET settle_after = COALESCE(mark."settleAfter", 'infinity'),
        unknown_horizons = mark."unknownHorizons"
    FROM json_to_recordset(${JSON.stringify(marks)}::json)
      AS mark (id text, at timestamptz, "settleAfter" timestamptz, "unknownHorizons" smallint)
    WHERE prediction.id = mark.id AND prediction.at = mark.at
      AND prediction.at BETWEEN ${new Date(Math.min(...times))} AND ${new Date(Math.max(...times))}
      AND (settle_after, unknown_horizons)
        IS DISTINCT FROM (COALESCE(mark."settleAfter", 'infinity'), mark."unknownHorizons")`.execute(
    db,
  );
}

/** Closes of a stored series from a bar on, as they were known at `asOf` (both ms UTC). */
export async function readCloses(
  db: Db,
  series: BarSeries & { readonly role: SourceRole },
  range: { readonly from: number; readonly asOf: number },
): Promise<SourceCloses> {
  const { instrument, timeframe, source, role } = series;
  const [{ rows }, factors] = await Promise.all([
    sql<{ openTime: number; close: number; knownAt: number }>`
      SELECT DISTINCT ON (bar.open_time)
             (extract(epoch FROM bar.open_time) * 1000)::float8 AS "openTime", close,
             (extract(epoch FROM known_at) * 1000)::float8 AS "knownAt"
      FROM bar
      WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}
        AND bar.open_time >= to_timestamp(${range.from / 1000}::float8)
        AND known_at <= to_timestamp(${range.asOf / 1000}::float8)
      ORDER BY bar.open_time, revision DESC`.execute(db),
    readFactors(db, series, range.asOf),
  ]);
  const bars = rows.map(({ openTime, close }) => {
    return { openTime, open: close, high: close, low: close, close, volume: 0 };
  });
  return {
    role,
    bars: barsFromRows(instrument, timeframe, bars),
    knownAt: Float64Array.from(rows, ({ knownAt }) => knownAt),
    factors,
  };
}

export interface SeriesChanges {
  /** Open times of bars that became known. */
  readonly bars: readonly number[];
  readonly factors: { readonly before: readonly FactorRow[]; readonly after: readonly FactorRow[] };
}

/** What became known of a series after `since` and by `asOf` (ms UTC): new bars, revised ones, factors. */
export async function changesOfSeries(
  db: Db,
  series: BarSeries,
  { since, asOf }: { readonly since: number; readonly asOf: number },
): Promise<SeriesChanges> {
  const { instrument, timeframe, source } = series;
  const [{ rows }, before, after] = await Promise.all([
    sql<{ openTime: number }>`
      SELECT DISTINCT (extract(epoch FROM bar.open_time) * 1000)::float8 AS "openTime"
      FROM bar
      WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}
        AND known_at > to_timestamp(${since / 1000}::float8)
        AND known_at <= to_timestamp(${asOf / 1000}::float8)`.execute(db),
    readFactors(db, series, since),
    readFactors(db, series, asOf),
  ]);
  return { bars: rows.map(({ openTime }) => openTime), factors: { before, after } };
}

/** The versions of a model that have outcomes, deleted ones included. */
export async function versionsWithOutcomes(db: Db, model: string): Promise<number[]> {
  const rows = await db
    .selectFrom('model_version')
    .select('version')
    .where('model', '=', model)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('outcome')
          .select('outcome.version')
          .whereRef('outcome.model', '=', 'model_version.model')
          .whereRef('outcome.version', '=', 'model_version.version'),
      ),
    )
    .execute();
  return rows.map(({ version }) => version);
}

/**
 * Newest revisions of the outcomes of some versions on an instrument that rest on one of the bars (open times, ms UTC) or reach
 * across one of the steps (times at which a changed factor takes effect), by prediction and horizon.
 */
export async function outcomesTouched(
  db: Db,
  query: {
    readonly model: string;
    readonly versions: readonly number[];
    readonly instrument: string;
    readonly bars: readonly number[];
    readonly steps: readonly number[];
    readonly after?: { readonly id: string; readonly horizon: number } | undefined;
    readonly limit: number;
  },
): Promise<Outcome[]> {
  const { model, versions, instrument, after, limit } = query;
  const times = (ms: readonly number[]) =>
    sql`${ms.map((t) => new Date(t).toISOString())}::timestamptz[]`;
  const place = after ? sql`(prediction_id, horizon) > (${after.id}, ${after.horizon})` : sql`TRUE`;
  const { rows } = await sql<Outcome>`
    SELECT DISTINCT ON (prediction_id, horizon) *
    FROM outcome
    WHERE model = ${model} AND version = ANY(${versions}::int[]) AND instrument = ${instrument}
      AND ${place}
      AND (as_of = ANY(${times(query.bars)}) OR target_time = ANY(${times(query.bars)})
        OR EXISTS (SELECT FROM unnest(${times(query.steps)}) AS step
                   WHERE as_of < step AND target_time >= step))
    ORDER BY prediction_id, horizon, revision DESC LIMIT ${limit}`.execute(db);
  return rows;
}

/** What settling must know of a version. */
export interface SettledVersion {
  readonly version: number;
  readonly packageDigest: string | null;
  readonly instruments: readonly string[];
  readonly spec: ExperimentSpec;
}

/** Versions of a model by number, deleted ones included; unknown numbers are left out. */
export async function settledVersions(
  db: Db,
  model: string,
  versions: readonly number[],
): Promise<SettledVersion[]> {
  if (versions.length === 0) return [];
  const rows = await db
    .selectFrom('model_version')
    .innerJoin('experiment', 'experiment.id', 'model_version.experiment_id')
    .where('model_version.model', '=', model)
    .where('version', 'in', versions)
    .select(['version', 'package_digest', 'instruments', 'spec'])
    .execute();
  return rows.map(({ version, package_digest: packageDigest, instruments, spec }) => {
    return { version, packageDigest, instruments, spec: experimentSpecSchema.parse(spec) };
  });
}

export async function versionScale(
  db: Db,
  model: string,
  version: number,
): Promise<VersionScale | undefined> {
  return db
    .selectFrom('version_scale')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
}

/** Keeps what was stored first: losses of one version are measured by one scale. */
export async function storeVersionScale(db: Db, scale: VersionScale): Promise<void> {
  const { class_priors: priors, ...rest } = scale;
  await db
    .insertInto('version_scale')
    .values({ ...rest, class_priors: priors && JSON.stringify(priors) })
    .onConflict((oc) => oc.doNothing())
    .execute();
}
