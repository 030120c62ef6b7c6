import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { evaluate } from '../../core/evaluation/index.ts';
import { openS3Store } from '../../registry/artifacts-s3.ts';
import { plantClasses } from '../core/evaluation/planted-classes.ts';
import {
  ADMIN,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';
import { freePort } from '../support/server-process.ts';

const STYLE = 'body{margin:0}';
const PAGE = `<!doctype html><html><head><title>m</title><style>${STYLE}</style></head><body>\u03bc</body></html>\n`;
const at = (version: number | string, model = MODEL): string =>
  `/api/v1/ml-models/${model}/versions/${version}/report`;

describe('report of a version', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    const { uri, sha256, bytes } = await fixture.artifacts.put(Buffer.from(PAGE));
    await fixture.db
      .updateTable('model_version')
      .set({ attachments: JSON.stringify([{ name: 'report.html', uri, sha256, bytes }]) })
      .where('version', '=', 1)
      .execute();
  });
  after(() => fixture.close());

  it('is the stored page, under a policy that lets it do nothing but be styled', async () => {
    const { status, body, headers } = await replica.call('GET', at(1));
    assert.equal(status, 200);
    assert.equal(String(body['text']), PAGE);
    assert.equal(headers.get('content-type'), 'text/html; charset=UTF-8');
    const digest = createHash('sha256').update(STYLE).digest('base64');
    assert.deepEqual(headers.get('content-security-policy')?.split('; '), [
      "default-src 'none'",
      `style-src 'sha256-${digest}'`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      'sandbox',
    ]);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cache-control'), 'private, no-cache');
    const name = `inline; filename="report-${MODEL}-v1.html"`;
    assert.equal(headers.get('content-disposition'), name);
  });

  it('has its figures beside it, as the evaluation left them', async () => {
    const evaluation = evaluate(plantClasses(0.5));
    const text = new TextEncoder().encode(JSON.stringify(evaluation));
    const { uri } = await fixture.artifacts.put(text);
    await fixture.db
      .updateTable('model_version')
      .set({ evaluation_uri: uri })
      .where('version', '=', 1)
      .execute();
    const path = at(1).replace(/report$/, 'evaluation');
    const { status, body, headers } = await replica.call('GET', path);
    assert.equal(status, 200);
    assert.deepEqual(body, evaluation);
    assert.equal(headers.get('cache-control'), 'private, no-cache');
    const none = await replica.call('GET', path.replace('/1/', '/9/'));
    assert.deepEqual([none.status, none.body['code']], [404, 'version.unknown']);
  });

  it('is 404 for no such model or version, and where an evaluation left none', async () => {
    const codes: [string, string][] = [
      [at(1, 'nobody'), 'model.unknown'],
      [at(9), 'version.unknown'],
      [at(2), 'report.not-found'],
    ];
    for (const [path, code] of codes) {
      const { status, body } = await replica.call('GET', path);
      assert.deepEqual([status, body['code']], [404, code], path);
    }
    assert.equal((await replica.call('GET', at('first'))).status, 400);
    const keyBody = { name: 'other', scopes: ['read'], models: ['other'] };
    const { body } = await replica.call('POST', '/api/v1/keys', keyBody);
    const key = String(body['token']);
    assert.equal((await replica.call('GET', at(1), undefined, { key })).status, 404);
  });

  it('is 503 where the store is away, which is not said of the database', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const s3 = { endpoint, accessKey: 'none', secretKey: 'none', bucket: 'none' };
    const cut = await fixture.open('cut', { artifacts: openS3Store(s3) });
    const { status, body, headers } = await cut.call('GET', at(1));
    assert.deepEqual([status, body['code']], [503, 'artifact.unavailable']);
    assert.ok(Number(headers.get('retry-after')) > 0);
    assert.doesNotMatch(JSON.stringify(body), /127\.0\.0\.1|ECONN|database/);
    const upload = await cut.app.request('http://localhost/api/v1/uploads?name=bars.csv', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/octet-stream' },
      body: 'date,close\n',
    });
    assert.equal(((await upload.json()) as { code: string }).code, 'artifact.unavailable');
  });

  // Last: the bytes are gone then.
  it('is 503 where its bytes are lost', async () => {
    await rm(join(fixture.folder, 'artifacts', 'cas'), { recursive: true });
    const { status, body } = await replica.call('GET', at(1));
    assert.deepEqual([status, body['code']], [503, 'artifact.missing']);
  });
});
