/** Predictions that went to a caller, as a replay reads them, and when the bars behind them arrived. */
import { sql } from 'kysely';
import type { StoredAnswer } from '../core/predict/index.ts';
import type { Timeframe } from '../core/bars/bars.ts';
import type { Db } from './in-transaction.ts';
import { ANSWERED } from './predictions.ts';
import type { ServedSource } from './served-bars.ts';

/** Predictions of a model by when they were served: `from` included, `to` not. */
export interface ServedSpan {
  readonly model: string;
  readonly from: Date;
  readonly to: Date;
  /** Absent: whenever they were recorded. */
  readonly recorded?: RecordedRange | undefined;
}

/** Places in the order in which predictions were recorded. */
export interface RecordedRange {
  /** Null: from the first on, and what earlier releases recorded. */
  readonly after: string | null;
  /** Included. */
  readonly to: string;
}

/** Predictions of one version for one instrument. */
export interface ServedGroup {
  readonly version: number;
  readonly instrument: string;
  readonly predictions: number;
  /** Of them those with Monte-Carlo confidence. */
  readonly sampled: number;
}

/** What there is to replay, by version and instrument, and how many were made from what the caller brought. */
export async function servedGroups(
  db: Db,
  span: ServedSpan,
): Promise<{ readonly groups: readonly ServedGroup[]; readonly callersOwn: number }> {
  const rows = await served(db, span)
    .select(['version', 'instrument'])
    .select(sql<boolean>`input = 'instrument'`.as('own'))
    .select((eb) => eb.fn.countAll<string>().as('n'))
    .select(
      sql<string>`count(*) FILTER (WHERE json_typeof(answer #> '{horizons,0,relativeStd}') = 'number')`.as(
        'sampled',
      ),
    )
    .groupBy(['version', 'instrument', sql`input = 'instrument'`])
    .orderBy('version')
    .orderBy(sql`instrument COLLATE "C"`)
    .execute();
  const groups = rows
    .filter(({ own }) => own)
    .map(({ version, instrument, n, sampled }) => ({
      ...{ version, instrument },
      ...{ predictions: Number(n), sampled: Number(sampled) },
    }));
  const others = rows.filter(({ own }) => !own);
  return { groups, callersOwn: others.reduce((sum, { n }) => sum + Number(n), 0) };
}

export const recordedIn = ({ after, to }: RecordedRange) =>
  after === null
    ? sql<boolean>`(intake IS NULL OR intake <= ${to}::bigint)`
    : sql<boolean>`intake > ${after}::bigint AND intake <= ${to}::bigint`;

/** Those that were answered. */
const served = (db: Db, { model, from, to, recorded }: ServedSpan) =>
  db
    .selectFrom('prediction')
    .where('model', '=', model)
    .where('at', '>=', from)
    .where('at', '<', to)
    .where('role', 'in', ANSWERED)
    .where('error', 'is', null)
    .$if(recorded !== undefined, (q) => q.where(recordedIn(recorded!)));

/** One prediction to replay. */
export interface ServedPrediction {
  readonly id: string;
  readonly at: Date;
  /** Bars known and complete by then were looked at, ms UTC. */
  readonly asked: number;
  readonly asOf: Date;
  readonly answer: StoredAnswer;
  readonly codeVersion: string | null;
}

/** A page of a group, in order of (at, id), behind `after`. */
export async function servedPage(
  db: Db,
  span: ServedSpan,
  group: Pick<ServedGroup, 'version' | 'instrument'>,
  {
    after,
    limit,
  }: {
    readonly after?: { readonly at: Date; readonly id: string } | undefined;
    readonly limit: number;
  },
): Promise<ServedPrediction[]> {
  const rows = await served(db, span)
    .select(['id', 'at', 'asked_as_of', 'as_of', 'answer', 'code_version'])
    .where('version', '=', group.version)
    .where('instrument', '=', group.instrument)
    .where('input', '=', 'instrument')
    .$if(after !== undefined, (q) =>
      q.where(sql<boolean>`(at, id) > (${after?.at ?? null}::timestamptz, ${after?.id ?? ''})`),
    )
    .orderBy('at')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    at: row.at,
    asked: (row.asked_as_of ?? row.at).getTime(),
    asOf: row.as_of,
    answer: row.answer as StoredAnswer,
    codeVersion: row.code_version,
  }));
}

interface ReadSeries {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly sources: readonly ServedSource[];
}

const msOf = (column: string) =>
  sql<number>`(extract(epoch FROM ${sql.ref(column)}) * 1000)::float8`;
const timeOf = (ms: number) => sql`to_timestamp(${ms / 1000}::float8)`;

/** Instants after `from` and up to `to` (ms UTC) at which something of a series became known, ascending, the newest `limit`. */
export async function knownChanges(
  db: Db,
  { instrument, timeframe, sources }: ReadSeries,
  { from, to, limit }: { readonly from: number; readonly to: number; readonly limit: number },
): Promise<Float64Array> {
  const names = sources.map(({ source }) => source);
  const { rows } = await sql<{ at: number }>`
    SELECT DISTINCT at FROM (
      SELECT ${msOf('known_at')} AS at FROM bar
      WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ANY(${names})
        AND known_at > ${timeOf(from)} AND known_at <= ${timeOf(to)}
      UNION ALL
      SELECT ${msOf('known_at')} FROM series_point
      WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ANY(${names})
        AND known_at > ${timeOf(from)} AND known_at <= ${timeOf(to)}
      UNION ALL
      SELECT ${msOf('arrived_at')} FROM factor
      WHERE instrument = ${instrument} AND source = ANY(${names})
        AND arrived_at > ${timeOf(from)} AND arrived_at <= ${timeOf(to)}
    ) AS change ORDER BY at DESC LIMIT ${limit}`.execute(db);
  return Float64Array.from(rows, ({ at }) => at).reverse();
}

/** A bar that counts as known since `knownAt`, because its source says when it publishes, and arrived later; ms UTC. */
export interface AssumedBar {
  readonly openTime: number;
  readonly knownAt: number;
  readonly arrivedAt: number;
}

/** Bars that count as known by `known` and arrived after `arrived` (ms UTC), newest first, at most `limit`. */
export async function assumedBars(
  db: Db,
  { instrument, timeframe, sources }: ReadSeries,
  range: { readonly known: number; readonly arrived: number; readonly limit: number },
): Promise<readonly AssumedBar[]> {
  const names = sources.map(({ source }) => source);
  const { rows } = await sql<AssumedBar>`
    SELECT ${msOf('open_time')} AS "openTime", ${msOf('known_at')} AS "knownAt",
           ${msOf('arrived_at')} AS "arrivedAt"
    FROM bar
    WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ANY(${names})
      AND known_assumed AND known_at <= ${timeOf(range.known)} AND arrived_at > ${timeOf(range.arrived)}
    ORDER BY bar.open_time DESC LIMIT ${range.limit}`.execute(db);
  return rows;
}
