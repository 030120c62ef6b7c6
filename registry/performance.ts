/** What a model's settled predictions were worth, by version, instrument and horizon. */
import { sql } from 'kysely';
import { skillScore } from '../core/metrics/skill.ts';
import type { Db } from './in-transaction.ts';
import { decidedWithin, FIRST, FIRST_ORDER, OWN_ANSWERS, type LossRange } from './outcomes.ts';
import type { PredictionRole } from './tables.ts';

export interface PerformanceQuery extends Pick<LossRange, 'from' | 'to'> {
  readonly model: string;
  readonly version?: number | undefined;
  readonly instrument?: string | undefined;
  readonly role?: PredictionRole | undefined;
}

/** What one version's forecasts of one instrument over one horizon were worth. Shares 0..1. */
export interface PerformanceRow {
  readonly version: number;
  readonly instrument: string;
  readonly horizon: number;
  /** Settled decisions, and how many of them do not overlap: n / horizon. */
  readonly n: number;
  readonly independent: number;
  /** Of the first and last decision. */
  readonly from: Date;
  readonly to: Date;
  /** Label units squared; `naive`: of "nothing changes" on the same rows. */
  readonly mse: number;
  readonly naiveMse: number;
  readonly rmse: number;
  /** Mean of error^2 / variance of the training labels. */
  readonly scaledLoss: number | null;
  /** 1 - mse / naiveMse; null where nothing moved. */
  readonly skillVsNaive: number | null;
  /** Share of decisions whose class (up, down, neutral) was forecast. */
  readonly directionAccuracy3: number;
  /** Decisions after which the price moved beyond the neutral zone; share of them whose sign was forecast, that rose. */
  readonly moved: number;
  readonly directionAccuracy2: number | null;
  readonly alwaysUp: number | null;
  /** Answers with an 80 % interval; share of them that held. */
  readonly intervals: number;
  readonly coverage80: number | null;
  /** Decisions with a position, what each side cost them. */
  readonly positions: number;
  readonly costOfSide: number | null;
  /** After costs: mean over all decisions, and their sum / horizon, as if a share of 1 / horizon were put on each. */
  readonly meanSignalReturn: number;
  readonly totalSignalReturn: number;
  /** Outcomes that a revised bar changed. */
  readonly revised: number;
}

type Measured = Omit<PerformanceRow, 'independent' | 'rmse' | 'skillVsNaive' | 'totalSignalReturn'>;

/** By version (newest first), instrument and horizon; which rows: see `pairedLosses`. */
export async function performance(db: Db, query: PerformanceQuery): Promise<PerformanceRow[]> {
  const { rows } = await sql<Measured>`
    WITH decision AS (
      SELECT ${FIRST} outcome.*
      FROM outcome JOIN model_version USING (model, version)
      WHERE ${ofQuery(query)} AND ${OWN_ANSWERS}
        AND (trained_through IS NULL OR as_of > trained_through)
      ORDER BY ${FIRST_ORDER})
    SELECT version, instrument, horizon, count(*)::int AS n,
           min(as_of) AS "from", max(as_of) AS "to",
           avg(error * error) AS mse, avg(naive_error * naive_error) AS "naiveMse",
           avg(scaled_loss) AS "scaledLoss",
           avg(direction_hit::int)::float8 AS "directionAccuracy3",
           count(*) FILTER (WHERE actual_direction <> 'neutral')::int AS moved,
           avg(((forecast_change > 0) = (actual_change > 0))::int)
             FILTER (WHERE actual_direction <> 'neutral')::float8 AS "directionAccuracy2",
           avg((actual_change > 0)::int)
             FILTER (WHERE actual_direction <> 'neutral')::float8 AS "alwaysUp",
           count(covered)::int AS intervals, avg(covered::int)::float8 AS "coverage80",
           count(*) FILTER (WHERE position <> 0)::int AS positions,
           avg((position * actual_change - signal_return) / 2)
             FILTER (WHERE position <> 0) AS "costOfSide",
           avg(signal_return) AS "meanSignalReturn",
           count(*) FILTER (WHERE revision > 0)::int AS revised
    FROM decision
    GROUP BY version, instrument, horizon
    ORDER BY version DESC, instrument, horizon`.execute(db);
  return rows.map((row) => {
    const skill = skillScore(row.mse, row.naiveMse);
    return {
      ...row,
      independent: row.n / row.horizon,
      rmse: Math.sqrt(row.mse),
      skillVsNaive: Number.isFinite(skill) ? skill : null,
      totalSignalReturn: (row.meanSignalReturn * row.n) / row.horizon,
    };
  });
}

const ofQuery = ({ model, version, instrument, role, ...range }: PerformanceQuery) => sql`
  model = ${model} AND ${decidedWithin(range)}
  AND ${version === undefined ? sql`TRUE` : sql`version = ${version}`}
  AND ${instrument === undefined ? sql`TRUE` : sql`instrument = ${instrument}`}
  AND ${role === undefined ? sql`TRUE` : sql`role = ${role}`}`;

/** Settled answers of a version that its figures leave out, and horizons without an outcome for ever. */
export interface LeftOut {
  readonly version: number;
  /** Decisions on bars that the version had learnt from. */
  readonly inSample: number;
  /** From bars that the caller brought. */
  readonly callersBars: number;
  /** The declared fallback answered. */
  readonly fallback: number;
  /** Answered again, by the same version from the same last bar. */
  readonly repeated: number;
  /** Horizons whose bar was waited for in vain. */
  readonly unknown: number;
}

/** By version, newest first; counts of settled horizons, each for the first reason that holds. */
export async function leftOutOfPerformance(db: Db, query: PerformanceQuery): Promise<LeftOut[]> {
  const { rows } = await sql<LeftOut>`
    WITH settled AS (
      SELECT version, input, fallback, as_of <= trained_through AS in_sample,
             row_number() OVER (PARTITION BY version, instrument, as_of, horizon, input, fallback
                                ORDER BY predicted_at, prediction_id) AS place
      FROM outcome JOIN model_version USING (model, version)
      WHERE ${ofQuery(query)} AND revision = 0),
    counted AS (
      SELECT version,
             count(*) FILTER (WHERE in_sample) AS in_sample,
             count(*) FILTER (WHERE in_sample IS NOT TRUE AND input <> 'instrument') AS callers_bars,
             count(*) FILTER (WHERE in_sample IS NOT TRUE AND input = 'instrument' AND fallback)
               AS fallback,
             count(*) FILTER (WHERE in_sample IS NOT TRUE AND ${OWN_ANSWERS} AND place > 1)
               AS repeated
      FROM settled GROUP BY version),
    lost AS (
      SELECT version, sum(unknown_horizons) AS unknown
      FROM prediction
      WHERE unknown_horizons > 0 AND ${ofQuery(query)}
      GROUP BY version)
    SELECT version, COALESCE(in_sample, 0)::int AS "inSample",
           COALESCE(callers_bars, 0)::int AS "callersBars", COALESCE(fallback, 0)::int AS fallback,
           COALESCE(repeated, 0)::int AS repeated, COALESCE(unknown, 0)::int AS unknown
    FROM counted FULL JOIN lost USING (version)
    ORDER BY version DESC`.execute(db);
  return rows;
}
