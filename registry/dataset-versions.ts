import type { SourceRole } from '../core/bars/merge.ts';
import type { Db } from './in-transaction.ts';

/** What a dataset version has from one source. Times as `isoTime` writes them: of the bars' opens, both inclusive. */
export interface DatasetDelivery {
  readonly dataset: string;
  readonly role: SourceRole;
  readonly rows: number;
  readonly ranges: readonly { readonly from: string; readonly to: string; readonly rows: number }[];
  /** Ranges that are not listed. */
  readonly moreRanges: number;
}

export interface DatasetVersionFacts {
  readonly hash: string;
  readonly instrument: string;
  readonly timeframe: string;
  readonly rows: number;
  readonly firstBar: Date;
  readonly lastBar: Date;
  readonly deliveredBy: string;
  readonly deliveries: readonly DatasetDelivery[];
  readonly createdAt: Date;
}

/** Which bars of a dataset version came from which source; empty where that was not kept. */
export async function deliveriesOf(db: Db, hash: string): Promise<readonly DatasetDelivery[]> {
  const row = await db
    .selectFrom('dataset_version')
    .select('deliveries')
    .where('hash', '=', hash)
    .executeTakeFirst();
  return row?.deliveries ?? [];
}

/** The Parquet file of a dataset version; undefined where there is no such version. */
export async function barsFileOf(
  db: Db,
  hash: string,
): Promise<{ readonly uri: string; readonly sha256: string } | undefined> {
  const row = await db
    .selectFrom('dataset_version')
    .select(['artifact_uri as uri', 'artifact_sha256 as sha256'])
    .where('hash', '=', hash)
    .executeTakeFirst();
  return row;
}

/** Dataset versions of an instrument (default: of all), newest first. */
export async function listDatasetVersions(
  db: Db,
  filter: { readonly instrument?: string; readonly hash?: string; readonly limit: number },
): Promise<readonly DatasetVersionFacts[]> {
  let query = db.selectFrom('dataset_version').selectAll();
  if (filter.instrument !== undefined) query = query.where('instrument', '=', filter.instrument);
  if (filter.hash !== undefined) query = query.where('hash', 'like', `${filter.hash}%`);
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('hash')
    .limit(filter.limit)
    .execute();
  return rows.map((row) => ({
    hash: row.hash,
    instrument: row.instrument,
    timeframe: row.timeframe,
    rows: row.rows,
    firstBar: row.first_bar,
    lastBar: row.last_bar,
    deliveredBy: row.delivered_by,
    deliveries: row.deliveries,
    createdAt: row.created_at,
  }));
}
