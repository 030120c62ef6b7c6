import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Command } from 'commander';
import { createOutput, EXIT, type CliContext, type CliError } from '../../api/cli/output.ts';
import { register } from '../../api/cli/sql.ts';
import { readConfig } from '../../infra/config.ts';
import { writeDatasetVersion } from '../../registry/datasets.impl.ts';
import { ADMIN, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { walkBars } from '../support/made-bars.ts';

let fixture: ApiFixture;
let server: Server;
let url: string;

before(async () => {
  fixture = await openApiFixture(0);
  const freeze = (instrument: string, count: number) =>
    writeDatasetVersion(fixture.db, fixture.artifacts, {
      ...{ bars: walkBars(count, { instrument, from: '2020-01-02' }), query: {} },
      ...{ deliveredBy: 'test', deliveries: [] },
    });
  await freeze('^GSPC', 40);
  await freeze('^GSPC', 60);
  await freeze('AAPL', 50);
  const replica = await fixture.open('sql');
  const answer = getRequestListener(replica.app.fetch);
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  url = `http://localhost:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await fixture.close();
});

async function ask(...argv: string[]): Promise<Record<string, unknown>[]> {
  const stdout = new PassThrough();
  const chunks: Buffer[] = [];
  stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ctx: CliContext = {
    json: true,
    interactive: false,
    config: readConfig({}),
    out: createOutput(stdout, () => true),
    signal: new AbortController().signal,
    connect: () => Promise.resolve({ url, key: ADMIN }),
  };
  const program = new Command('ratchet').exitOverride();
  register(program, ctx);
  await program.parseAsync(['sql', ...argv], { from: 'user' });
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>[];
}

test('the newest frozen bars of every instrument are one table', async () => {
  const rows = await ask(
    'SELECT instrument, count(*)::INT AS n FROM bars GROUP BY ALL ORDER BY ALL',
  );
  assert.deepEqual(rows, [
    { instrument: 'AAPL', n: 50 },
    { instrument: '^GSPC', n: 60 },
  ]);
  const one = await ask('SELECT count(*)::INT AS n FROM bars', '-i', 'AAPL');
  assert.deepEqual(one, [{ n: 50 }]);
  const [first] = await ask(
    "SELECT open_time::VARCHAR AS t FROM bars WHERE instrument = 'AAPL' LIMIT 1",
  );
  assert.equal(first!['t'], '2020-01-02 00:00:00');
});

test('a query sees the bars and nothing else of the machine', async () => {
  for (const query of [
    "SELECT * FROM read_csv('/etc/hostname')",
    "COPY bars TO '/tmp/ratchet-stolen.csv'",
    'SELECT nothing FROM bars',
    'DROP TABLE bars',
  ]) {
    await assert.rejects(ask(query), (error: CliError) => error.exitCode === EXIT.usage, query);
  }
});

test('an instrument without frozen bars is named', async () => {
  await assert.rejects(ask('SELECT 1', '-i', 'MSFT'), (error: CliError) => {
    assert.match(error.message, /MSFT/);
    return error.exitCode === EXIT.notFound;
  });
});
