import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOUBLE, DuckDBDataChunk, DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { BAR_COLUMNS, barCount, TIMEFRAMES, type Bars } from '../core/bars/bars.ts';
import { hashBars } from '../core/bars/hash.ts';
import { RatchetError } from '../core/errors.ts';
import { isoTime } from '../core/calendar/day.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { DatasetDelivery } from './dataset-versions.ts';
import { inTransaction, type Db } from './in-transaction.ts';

/** Rows that DuckDB takes at once (its vector size). */
const CHUNK_ROWS = 2048;
const FORMAT = 'ratchet-bars/1';

let engine: Promise<DuckDBInstance> | undefined;

/** One DuckDB in memory a process; it must not take the cores that trainings use. */
const openEngine = (): Promise<DuckDBInstance> =>
  (engine ??= DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '1GB' }));

async function withEngine<T>(
  work: (connection: DuckDBConnection, file: string) => Promise<T>,
): Promise<T> {
  const connection = await (await openEngine()).connect();
  const file = join(tmpdir(), `ratchet-${randomUUID()}.parquet`);
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return await work(connection, file);
  } finally {
    connection.closeSync();
    await rm(file, { force: true });
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const column = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Bars as Parquet (zstd): open_time, the columns, exogenous ones; what else they are as metadata. */
export function encodeBars(bars: Bars): Promise<Uint8Array> {
  const exogenous = Object.keys(bars.exogenous ?? {}).sort();
  const names = ['open_time', ...BAR_COLUMNS, ...exogenous];
  const data = [
    bars.openTime,
    ...BAR_COLUMNS.map((name) => bars[name]),
    ...exogenous.map((name) => bars.exogenous![name]!),
  ];
  const facts = {
    format: FORMAT,
    instrument: bars.instrument,
    timeframe: bars.timeframe,
    valueDerived: bars.valueDerived,
  };
  return withEngine(async (connection, file) => {
    const table = `bars_${randomUUID().replaceAll('-', '')}`;
    const types = names.map((name) => `${column(name)} DOUBLE`).join(', ');
    await connection.run(`CREATE TEMP TABLE ${table} (${types})`);
    try {
      const appender = await connection.createAppender(table, undefined, 'temp');
      for (let from = 0; from < barCount(bars); from += CHUNK_ROWS) {
        const to = Math.min(from + CHUNK_ROWS, barCount(bars));
        const chunk = DuckDBDataChunk.create(
          names.map(() => DOUBLE),
          to - from,
        );
        data.forEach((values, i) =>
          chunk.setColumnValues(i, Array.from(values.subarray(from, to))),
        );
        appender.appendDataChunk(chunk);
      }
      appender.closeSync();
      const columns = names.slice(1).map(column).join(', ');
      await connection.run(
        `COPY (SELECT make_timestamp_ms(open_time::BIGINT) AS open_time, ${columns} FROM ${table}) ` +
          `TO ${quoted(file)} (FORMAT parquet, COMPRESSION zstd, ` +
          `KV_METADATA {ratchet: ${quoted(JSON.stringify(facts))}})`,
      );
    } finally {
      await connection.run(`DROP TABLE IF EXISTS ${table}`);
    }
    return new Uint8Array(await readFile(file));
  });
}

/** Bars of a Parquet file that `encodeBars` wrote. Errors: `dataset.unreadable`. */
export function decodeBars(parquet: Uint8Array): Promise<Bars> {
  return withEngine(async (connection, file) => {
    await writeFile(file, parquet, { mode: 0o600 });
    try {
      const metadata = await connection.runAndReadAll(
        `SELECT decode(value) FROM parquet_kv_metadata(${quoted(file)}) WHERE decode(key) = 'ratchet'`,
      );
      const facts = JSON.parse(String(metadata.getRows()[0]?.[0])) as Pick<
        Bars,
        'instrument' | 'timeframe' | 'valueDerived'
      > & { format: string };
      if (facts.format !== FORMAT || !TIMEFRAMES.includes(facts.timeframe)) {
        throw new Error(`format ${facts.format}, timeframe ${facts.timeframe}`);
      }
      const result = await connection.runAndReadAll(
        `SELECT epoch_ms(open_time)::DOUBLE AS open_time, * EXCLUDE (open_time) FROM read_parquet(${quoted(file)})`,
      );
      const names = result.columnNames();
      const columns = result.getColumns() as number[][];
      const values = new Map(names.map((name, i) => [name, Float64Array.from(columns[i] ?? [])]));
      const known = new Set<string>(['open_time', ...BAR_COLUMNS]);
      const extra = names.filter((name) => !known.has(name));
      const take = (name: string): Float64Array => values.get(name)!;
      return {
        instrument: facts.instrument,
        timeframe: facts.timeframe,
        openTime: take('open_time'),
        open: take('open'),
        high: take('high'),
        low: take('low'),
        close: take('close'),
        volume: take('volume'),
        value: take('value'),
        valueDerived: facts.valueDerived,
        ...(extra.length > 0 && {
          exogenous: Object.fromEntries(extra.map((name) => [name, take(name)])),
        }),
      };
    } catch (cause) {
      throw new RatchetError('dataset.unreadable', 'the file is no dataset of this platform', {
        cause,
      });
    }
  });
}

export interface DatasetVersionInput {
  readonly bars: Bars;
  /** As-of, sources, adjustment: what was asked. JSON. */
  readonly query: unknown;
  readonly deliveredBy: string;
  readonly deliveries: readonly DatasetDelivery[];
}

export interface DatasetVersion {
  readonly hash: string;
  readonly artifact: ArtifactRef;
}

/**
 * Freezes bars: the Parquet file goes to the artifact store, a row to the registry. Equal rows are one
 * version: the first file stays.
 */
export async function writeDatasetVersion(
  db: Db,
  artifacts: ArtifactStore,
  input: DatasetVersionInput,
): Promise<DatasetVersion> {
  const { bars } = input;
  const rows = barCount(bars);
  if (rows === 0) throw new RatchetError('dataset.empty', `${bars.instrument} has no bars`);
  const hash = hashBars(bars);
  const known = await findDatasetVersion(db, hash);
  if (known && (await artifacts.has(known.artifact.sha256))) return known;
  const artifact = await artifacts.put(await encodeBars(bars), rows);
  return inTransaction(db, async (trx) => {
    await trx
      .insertInto('dataset_version')
      .values({
        hash,
        instrument: bars.instrument,
        timeframe: bars.timeframe,
        query: JSON.stringify(input.query),
        rows,
        first_bar: isoTime(bars.openTime[0]!),
        last_bar: isoTime(bars.openTime[rows - 1]!),
        artifact_uri: artifact.uri,
        artifact_sha256: artifact.sha256,
        artifact_bytes: artifact.bytes,
        delivered_by: input.deliveredBy,
        deliveries: JSON.stringify(input.deliveries),
      })
      // A version whose file was lost gets the new one; otherwise the file is the same.
      .onConflict((oc) =>
        oc.column('hash').doUpdateSet({
          artifact_uri: artifact.uri,
          artifact_sha256: artifact.sha256,
          artifact_bytes: artifact.bytes,
        }),
      )
      .execute();
    return { hash, artifact };
  });
}

export async function findDatasetVersion(
  db: Db,
  hash: string,
): Promise<DatasetVersion | undefined> {
  const row = await db
    .selectFrom('dataset_version')
    .select(['artifact_uri', 'artifact_sha256', 'artifact_bytes', 'rows'])
    .where('hash', '=', hash)
    .executeTakeFirst();
  if (!row) return undefined;
  return {
    hash,
    artifact: {
      uri: row.artifact_uri,
      sha256: row.artifact_sha256,
      bytes: Number(row.artifact_bytes),
      rows: row.rows,
    },
  };
}

/** The bars behind a reference; with `hash`, what was read must have it (`dataset.corrupt`). */
export async function readBars(
  artifacts: ArtifactStore,
  ref: Pick<ArtifactRef, 'uri' | 'sha256'>,
  hash?: string,
): Promise<Bars> {
  const bars = await decodeBars(await artifacts.get(ref));
  if (hash !== undefined && hashBars(bars) !== hash) {
    throw new RatchetError('dataset.corrupt', `the rows of ${ref.uri} are not those of ${hash}`);
  }
  return bars;
}
