import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { driftReport, renderDriftReport } from '../../core/drift/index.ts';
import { keepDriftCalibration, recordDriftReport } from '../../registry/drift.ts';
import { openApiFixture, type ApiFixture, type TestReplica } from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

type Facts = Readonly<Record<string, unknown>>;
const part = (body: Facts, name: string): Facts => body[name] as Facts;

const base = `/api/v1/ml-models/${MODEL}/drift`;
const DAYS = ['2019-12-30', '2019-12-31', '2020-01-02'];

describe('drift reports by HTTP', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  const ids: string[] = [];
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    for (const day of DAYS) ids.push(await addReport(fixture, 1, day));
    ids.push(await addReport(fixture, 2, DAYS[2]!));
  });
  after(() => fixture.close());

  it('lists the newest first, with the whole of the newest, page by page', async () => {
    const { status, body } = await replica.call('GET', `${base}?limit=2`);
    assert.equal(status, 200);
    const newest = part(body, 'newest');
    assert.equal(newest['id'], ids[3]);
    assert.equal(part(newest, 'report')['inputVerdict'], 'notEnoughHistory');
    const idsOf = (page: Record<string, unknown>): string[] =>
      (page['items'] as { id: string }[]).map(({ id }) => id);
    assert.deepEqual(idsOf(body), [ids[3], ids[2]]);
    const cursor = encodeURIComponent(String(body['nextCursor']));
    const next = await replica.call('GET', `${base}?limit=2&cursor=${cursor}`);
    assert.deepEqual(idsOf(next.body), [ids[1], ids[0]]);
    assert.equal(next.body['newest'], null);
    const past = await replica.call('GET', `${base}?asOf=2019-12-31T22:00:00Z`);
    assert.equal(part(past.body, 'newest')['id'], ids[1]);
    const first = await replica.call('GET', `${base}?version=1&limit=1`);
    assert.deepEqual(idsOf(first.body), [ids[2]]);
  });

  it('gives one with its calibration, once there is one', async () => {
    const before = await replica.call('GET', `${base}/${ids[0]}`);
    assert.equal(before.status, 200);
    assert.equal(before.body['verdict'], 'notCalibrated');
    assert.equal(before.body['calibration'], null);
    await keepDriftCalibration(fixture.db, {
      model: MODEL,
      version: 1,
      packageDigest: 'digest',
      key: 'key',
      calibration: { through: '2019-12-01T00:00:00.000Z' },
    });
    const { body } = await replica.call('GET', `${base}/${ids[0]}`);
    const { key, through } = part(body, 'calibration');
    assert.deepEqual([key, through], ['key', '2019-12-01T00:00:00.000Z']);
    // The first one stays, whatever another worker made of it.
    const again = await keepDriftCalibration(fixture.db, {
      ...{ model: MODEL, version: 1, packageDigest: 'digest' },
      key: 'other',
      calibration: {},
    });
    assert.equal(again.key, 'key');
  });

  it('gives its page as it was stored, under a policy that lets it do nothing', async () => {
    const { status, body, headers } = await replica.call('GET', `${base}/${ids[0]}/page`);
    assert.equal(status, 200);
    const page = String(body['text']);
    assert.match(page, /<h1>Drift of index-gspc, version 1<\/h1>/);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const digest = createHash('sha256').update(style).digest('base64');
    const policy = headers.get('content-security-policy')!;
    assert.ok(policy.startsWith(`default-src 'none'; style-src 'sha256-${digest}'`), policy);
    assert.ok(policy.endsWith('sandbox'));
    assert.doesNotMatch(page, /<script| style="|<link|src=/);
    assert.equal(headers.get('content-type'), 'text/html; charset=UTF-8');
  });

  it('is 404 for what is not there, 400 for no id, and hidden from keys of other models', async () => {
    const unknown = `drift-${'0'.repeat(26)}`;
    const codes: [string, number, string][] = [
      ['/api/v1/ml-models/nobody/drift', 404, 'model.unknown'],
      [`${base}/${unknown}`, 404, 'drift.not-found'],
      [`${base}/${unknown}/page`, 404, 'drift.not-found'],
      [`${base}/newest`, 400, 'param.invalid'],
      [`${base}?cursor=x`, 400, 'query.invalid'],
      [`${base}?cursor=2024-13-01T00:00:00.000Z_1`, 400, 'query.invalid'],
      [`${base}?cursor=2024-12-01T00:00:00.000Z_0`, 400, 'query.invalid'],
    ];
    for (const [path, wanted, code] of codes) {
      const { status, body } = await replica.call('GET', path);
      assert.deepEqual([status, body['code']], [wanted, code], path);
    }
    const keyBody = { name: 'other', scopes: ['read'], models: ['other'] };
    const { body } = await replica.call('POST', '/api/v1/keys', keyBody);
    const key = String(body['token']);
    for (const path of [base, `${base}/${ids[0]}`, `${base}/${ids[0]}/page`]) {
      assert.equal((await replica.call('GET', path, undefined, { key })).status, 404, path);
    }
  });
});

async function addReport(fixture: ApiFixture, version: number, day: string): Promise<string> {
  const asOf = new Date(`${day}T21:30:00Z`);
  const report = driftReport({
    model: MODEL,
    version,
    asOf: asOf.getTime(),
    performance: null,
    inputs: [],
    predictions: [],
    quality: [],
    staleness: [],
    previousInputVerdict: null,
  });
  const { verdict, signals, words } = report;
  const page = await fixture.artifacts.put(Buffer.from(renderDriftReport(report)));
  const facts = { model: MODEL, version, asOf, verdict, signals, words };
  const { row } = await recordDriftReport(fixture.db, { ...facts, report, state: null, page });
  return row.id;
}
