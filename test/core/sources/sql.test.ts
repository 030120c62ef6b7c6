import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { NamedDataset } from '../../../activities/deps.ts';
import { barCount, type Bars } from '../../../core/bars/bars.ts';
import { create } from '../../../core/sources/duckdb.impl.ts';
import { duckdbParams } from '../../../core/sources/duckdb.ts';
import { positional } from '../../../core/sources/postgres.impl.ts';
import type { BarRequest } from '../../../core/sources/source.ts';
import { createSourceContext } from '../../../workers/source-context.ts';

let folder: string;
const request: BarRequest = {
  instrument: 'AAA',
  timeframe: '1d',
  from: Date.UTC(2024, 0, 2),
  to: Date.UTC(2024, 0, 5),
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-duckdb-'));
  const instance = await DuckDBInstance.create(join(folder, 'market.duckdb'));
  const connection = await instance.connect();
  await connection.run(`CREATE TABLE bars AS
    SELECT symbol, TIMESTAMPTZ '2024-01-01 00:00:00+00' + day * INTERVAL 1 DAY AS timestamp,
           100 + day AS open, 102 + day AS high, 99 + day AS low, 101.5 + day AS close, 1000 AS volume
    FROM range(0, 6) AS d(day), (VALUES ('AAA'), ('BBB')) AS s(symbol)`);
  await connection.run(`COPY bars TO '${join(folder, 'bars.parquet')}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  await writeFile(join(folder, '..', 'ratchet-outside.csv'), 'a\n1\n');
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(join(folder, '..', 'ratchet-outside.csv'), { force: true });
});

const dataset = (): NamedDataset => ({
  ...{ name: 'market', source: 'duckdb', params: {}, hosts: [], calendar: '24x7', root: folder },
});

async function read(sql: string, file?: string): Promise<Bars> {
  const params = duckdbParams.parse({ sql, ...(file && { file }) });
  const ctx = createSourceContext(dataset(), new AbortController().signal);
  const pages: Bars[] = [];
  for await (const page of create(params).fetch(request, undefined, ctx)) pages.push(page.bars);
  assert.equal(pages.length, 1);
  return pages[0]!;
}

const COLUMNS = 'timestamp, open, high, low, close, volume';
const WHERE =
  'WHERE symbol = $instrument AND epoch_ms(timestamp) >= $from AND epoch_ms(timestamp) < $to';

test('a database gives the bars that were asked for, in order, as UTC', async () => {
  const bars = await read(
    `SELECT ${COLUMNS} FROM bars ${WHERE} ORDER BY timestamp DESC`,
    'market.duckdb',
  );
  assert.equal(barCount(bars), 3);
  assert.deepEqual(
    [...bars.openTime],
    [2, 3, 4].map((day) => Date.UTC(2024, 0, day)),
  );
  assert.deepEqual([...bars.close], [102.5, 103.5, 104.5]);
});

test('files below the root are read without a database', async () => {
  const bars = await read(`SELECT ${COLUMNS} FROM read_parquet('{root}/bars.parquet') ${WHERE}`);
  assert.equal(barCount(bars), 3);
});

test('nothing outside the root is read, no door can be opened, nothing is written', async () => {
  const columns = 'a AS timestamp, 1 AS open, 1 AS high, 1 AS low, 1 AS close, 1 AS volume';
  const refused = [
    `SELECT ${columns} FROM read_csv('{root}/../ratchet-outside.csv')`,
    `SELECT ${columns} FROM read_csv('/etc/hostname')`,
    'SELECT 1; SET enable_external_access = true; SELECT 2',
    'DROP TABLE bars',
  ];
  for (const sql of refused) {
    await assert.rejects(read(sql, 'market.duckdb'), { code: 'source.sql' }, sql);
  }
  assert.equal(barCount(await read(`SELECT ${COLUMNS} FROM bars ${WHERE}`, 'market.duckdb')), 3);
});

test('a column that is not there, and a file outside, are refused by name', async () => {
  await assert.rejects(read('SELECT timestamp, open FROM bars', 'market.duckdb'), {
    code: 'source.columns',
  });
  await assert.rejects(read('SELECT 1', '../ratchet-outside.csv'), { code: 'source.sql' });
});

test('placeholders become positions, each once, and other dollars stay', () => {
  const sql = "SELECT '$price' FROM bars WHERE s = $instrument AND t >= $from AND u = $instrument";
  assert.deepEqual(positional(sql, { instrument: 'A', from: 5, to: 6 }), {
    text: "SELECT '$price' FROM bars WHERE s = $1 AND t >= $2 AND u = $1",
    values: ['A', 5],
  });
});
