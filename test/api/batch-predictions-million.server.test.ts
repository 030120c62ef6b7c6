/** A million rows as a workflow: what is held of them at once is one part, computed and read. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before as beforeAll, test } from 'node:test';
import {
  ADMIN,
  addPackagedVersion,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { batchActivities } from '../support/batch-by-hand.ts';
import type { PackageOptions } from '../support/model-package.ts';
import { MODEL } from '../support/registry-facts.ts';

const hourly: PackageOptions['change'] = (content) => ({
  ...content,
  preprocessing: { ...content.preprocessing, calendar: '24x7', timeframe: '1h' },
});
/** Hours since then, of one instrument that is asked for six times; its bars are those of the last years. */
const RANGE = { from: '2000-01-01', to: '2019-12-31' };
const TIMES = 6;
/** Of the whole process above where it stood: some parts and what is not yet collected, far from 250 MB of answers. */
const GROWTH_BYTES = 150 * 1024 * 1024;

let fixture: ApiFixture;
let api: TestReplica;
beforeAll(async () => {
  fixture = await openApiFixture(1);
  api = await fixture.open('million');
});
after(() => fixture.close());

test('memory does not grow with the rows, computed or read', { timeout: 900_000 }, async () => {
  const version = await addPackagedVersion(fixture.db, fixture.artifacts, 2, hourly);
  const body = { range: RANGE, instruments: new Array<string>(TIMES).fill(INSTRUMENT), version };
  const asked = await api.call('POST', `/api/v1/ml-models/${MODEL}/batch-predict`, body, {
    headers: { prefer: 'respond-async' },
  });
  assert.equal(asked.status, 202, JSON.stringify(asked.body));
  const ref = { batchPredictionId: String(asked.body['id']) };
  const { plan, answer, finish } = batchActivities(fixture);
  const { parts } = await plan(ref);
  await answer({ ...ref, part: parts - 1 });
  const before = process.memoryUsage().rss;
  let most = before;
  const look = (): void => void (most = Math.max(most, process.memoryUsage().rss));
  for (let part = 0; part < parts; part++) {
    await answer({ ...ref, part });
    look();
  }
  const { rows } = await finish(ref);
  look();
  assert.ok(rows > 1_000_000, `${rows} rows`);
  const path = `http://localhost/api/v1/batch-predictions/${ref.batchPredictionId}`;
  const headers = { authorization: `Bearer ${ADMIN}` };
  const response = await api.app.request(`${path}/rows`, { headers });
  const whole = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response.body!) {
    whole.update(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
    look();
  }
  assert.equal(`"${whole.digest('hex')}"`, response.headers.get('etag'));
  assert.ok(bytes > GROWTH_BYTES, `${bytes} bytes`);
  assert.ok(most - before < GROWTH_BYTES, `${Math.round((most - before) / 2 ** 20)} MB more`);
});
