import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import type { NamedDataset } from '../../activities/deps.ts';
import { barCount, type Bars } from '../../core/bars/bars.ts';
import { create } from '../../core/sources/postgres.impl.ts';
import { postgresParams } from '../../core/sources/postgres.ts';
import { createSourceContext } from '../../workers/source-context.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;

before(async () => {
  database = await openTestDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`CREATE TABLE quotes AS
    SELECT 'KRW-BTC' AS market, timestamptz '2024-01-01 00:00+09' + hour * interval '1 hour' AS timestamp,
           100.0 + hour AS open, 102.0 + hour AS high, 99.0 + hour AS low, 101.25 + hour AS close,
           5 AS volume
    FROM generate_series(0, 47) AS hour`);
  await client.end();
});
after(() => database.close());

const dataset = (): NamedDataset => ({
  ...{ name: 'quotes', source: 'postgres', params: {}, hosts: [], calendar: '24x7' },
  connection: () => database.url,
});

async function read(sql: string, of = dataset()): Promise<Bars> {
  const ctx = createSourceContext(of, new AbortController().signal);
  const request = {
    ...{ instrument: 'KRW-BTC', timeframe: '1h' as const },
    from: Date.UTC(2024, 0, 1),
    to: Date.UTC(2024, 0, 1, 4),
  };
  for await (const { bars } of create(postgresParams.parse({ sql })).fetch(
    request,
    undefined,
    ctx,
  )) {
    return bars;
  }
  throw new Error('no page');
}

const QUERY = `SELECT timestamp, open, high, low, close, volume FROM quotes
  WHERE market = $instrument AND timestamp >= to_timestamp($from / 1000.0) AND timestamp < to_timestamp($to / 1000.0)`;

test('bars of a table, whatever the zone of its times', async () => {
  const bars = await read(QUERY);
  assert.equal(barCount(bars), 4);
  assert.equal(bars.openTime[0], Date.UTC(2024, 0, 1));
  // Nine hours after midnight in Seoul.
  assert.equal(bars.close[0], 110.25);
});

test('a query that writes is refused by the database, and nothing is written', async () => {
  await assert.rejects(read('DELETE FROM quotes RETURNING *'), { code: 'source.sql' });
  const writes = `WITH gone AS (DELETE FROM quotes RETURNING *) SELECT * FROM gone`;
  await assert.rejects(read(writes), { code: 'source.sql' });
  // Several statements in one text would end the read-only transaction first.
  const many = 'SELECT 1) AS one; COMMIT; DELETE FROM quotes; SELECT * FROM (SELECT 1 AS one';
  await assert.rejects(read(many), { code: 'source.sql', message: /multiple commands/ });
  assert.equal(barCount(await read(QUERY)), 4);
});

test('without a connection, and with one that leads nowhere, it says so and tells no secret', async () => {
  const { connection: _, ...without } = dataset();
  await assert.rejects(read(QUERY, without), { code: 'source.sql' });
  const nowhere = { ...dataset(), connection: () => 'postgres://u:secret@127.0.0.1:1/x' };
  await assert.rejects(read(QUERY, nowhere), (error: Error) => {
    assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/);
    return true;
  });
});
