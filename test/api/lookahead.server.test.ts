import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { EXIT, type ApiAddress } from '../../api/cli/output.ts';
import { writeDatasetVersion } from '../../registry/datasets.impl.ts';
import { ADMIN, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { run } from '../support/cli-run.ts';
import { walkBars } from '../support/made-bars.ts';

let fixture: ApiFixture;
let server: Server;
let address: ApiAddress;

before(async () => {
  fixture = await openApiFixture(0);
  for (const [instrument, count] of [
    ['^GSPC', 1500],
    ['AAPL', 120],
  ] as const) {
    await writeDatasetVersion(fixture.db, fixture.artifacts, {
      ...{ bars: walkBars(count, { instrument, from: '2010-01-04' }), query: {} },
      ...{ deliveredBy: 'test', deliveries: [] },
    });
  }
  const replica = await fixture.open('lookahead');
  const answer = getRequestListener(replica.app.fetch);
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  address = { url: `http://localhost:${(server.address() as AddressInfo).port}`, key: ADMIN };
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await fixture.close();
});

test('frozen bars of an instrument are asked, on the calendar that they trade by', async () => {
  const { items } = (await (
    await fetch(`${address.url}/api/v1/dataset-versions?instrument=%5EGSPC`, {
      headers: { authorization: `Bearer ${ADMIN}` },
    })
  ).json()) as { items: { hash: string }[] };
  const found = await run(address, 'lookahead', 'technical-152', '-i', '^GSPC', '--json');
  assert.equal(found.code, EXIT.ok, found.error);
  const { bars, found: columns } = JSON.parse(found.text) as {
    bars: Record<string, unknown>;
    found: number;
  };
  assert.equal(columns, 0);
  const { source, dataset, bars: count, from } = bars;
  assert.deepEqual([source, dataset, count, from], ['frozen', items[0]!.hash, 1500, '2010-01-04']);
  const fewer = await run(address, 'warmup', 'rsi', 'daily-22', '-i', '^GSPC', '--bars', '900');
  assert.equal(fewer.code, EXIT.ok, fewer.error);
  assert.match(fewer.text, /^900 daily bars of \^GSPC, .*dataset [0-9a-f]{12}; histories from 8/);
  assert.match(fewer.text, /declares too small a warm-up or memory\.$/m);
});

test('too few bars, other bars, none at all: said with what to do', async () => {
  const few = await run(address, 'lookahead', 'technical-152', '-i', 'AAPL');
  assert.deepEqual([few.code, /120 bars are too few/.test(few.error)], [EXIT.usage, true]);
  const hours = await run(address, 'lookahead', 'macd', '-i', 'AAPL', '--timeframe', '1h');
  assert.deepEqual([hours.code, /no 1h bars of AAPL/.test(hours.error)], [EXIT.notFound, true]);
  const none = await run(address, 'warmup', 'macd', '-i', 'MSFT');
  assert.deepEqual([none.code, /MSFT/.test(none.error)], [EXIT.notFound, true]);
});
