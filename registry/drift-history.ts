/** What a version said since it answers, as the drift monitor reads it. */
import { sql } from 'kysely';
import type { ClassAnswer } from '../core/predict/answer.ts';
import type { Db } from './in-transaction.ts';

/** A forecast of one horizon and what came of it. */
export interface SettledForecast {
  readonly instrument: string;
  /** Open time of the last bar it was made from, ms UTC. */
  readonly time: number;
  readonly horizon: number;
  readonly role: 'champion' | 'canary' | 'shadow' | 'pinned';
  /** Fractions: 0.01 = 1 %. */
  readonly forecastChange: number;
  readonly actualChange: number;
  /** Of a model of classes: log loss less that of the class shares; null of quantities, and where no class could be told. */
  readonly excessLoss: number | null;
}

export interface SettledQuery {
  readonly model: string;
  readonly version: number;
  /** Market time, ms UTC: of each outcome the newest revision that was known by then. */
  readonly knownBy: number;
  /** Only decision times after this, ms UTC. */
  readonly after: number;
}

/**
 * Settled forecasts of a version from stored bars, in order of time: of several for one instrument and
 * bar the first, whoever asked for it and whether or not it was returned. No fallback answers, and nothing that
 * bars or windows of a caller were answered with.
 */
export async function settledForecasts(db: Db, query: SettledQuery): Promise<SettledForecast[]> {
  const { rows } = await sql<SettledForecast>`
    SELECT * FROM (
      SELECT DISTINCT ON (instrument, as_of, horizon)
             instrument, (extract(epoch FROM as_of) * 1000)::float8 AS time, horizon, role,
             forecast_change AS "forecastChange", actual_change AS "actualChange",
             scaled_loss - reference_loss AS "excessLoss"
      FROM outcome
      WHERE model = ${query.model} AND version = ${query.version}
        AND input = 'instrument' AND NOT fallback
        AND as_of > to_timestamp(${query.after / 1000}::float8)
        AND known_at <= to_timestamp(${query.knownBy / 1000}::float8)
      ORDER BY instrument, as_of, horizon, predicted_at, prediction_id, revision DESC) AS first
    ORDER BY time, instrument, horizon`.execute(db);
  return rows;
}

/** A recorded answer, settled or not. */
export interface RecordedForecast {
  readonly instrument: string;
  readonly time: number;
  readonly horizons: readonly {
    readonly horizon: number;
    readonly change: number;
    readonly classes?: ClassAnswer;
  }[];
}

/**
 * The newest recorded forecasts of a version by decision time, in order of time, chosen as in
 * `settledForecasts`; at most `limit` of an instrument.
 */
export async function recordedForecasts(
  db: Db,
  query: {
    readonly model: string;
    readonly version: number;
    readonly instrument: string;
    /** Decision times up to this one, ms UTC, included. */
    readonly through: number;
    readonly limit: number;
  },
): Promise<RecordedForecast[]> {
  const { rows } = await sql<RecordedForecast>`
    SELECT * FROM (
      SELECT DISTINCT ON (as_of) instrument, (extract(epoch FROM as_of) * 1000)::float8 AS time,
             answer -> 'horizons' AS horizons
      FROM prediction
      WHERE model = ${query.model} AND version = ${query.version}
        AND instrument = ${query.instrument}
        AND as_of <= to_timestamp(${query.through / 1000}::float8)
        AND input = 'instrument' AND error IS NULL AND answer ->> 'fallback' IS NULL
      ORDER BY as_of DESC, at, id LIMIT ${query.limit}) AS newest
    ORDER BY time`.execute(db);
  return rows;
}
