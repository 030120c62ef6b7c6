import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CHOSEN_EVENTS } from '../../core/alerts/index.ts';
import { RatchetError } from '../../core/errors.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { loadWebhooks, webhookEnvironment } from '../../infra/webhooks.ts';

const SECRET = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-webhooks-'));
});
after(() => rm(folder, { recursive: true }));

let files = 0;
async function write(yaml: string): Promise<string> {
  const file = join(folder, `config-${++files}.yaml`);
  await writeFile(file, yaml);
  return file;
}
const load = async (yaml: string, env: Record<string, string> = {}) =>
  loadWebhooks(env, await write(yaml));

test('a webhook of two lines has defaults; without a file there is none', async () => {
  const { webhooks, publicUrl } = await load(
    'webhooks: { ops-1: { url: "https://a.example/x" } }',
    {
      RATCHET_WEBHOOK_SECRET_OPS_1: SECRET,
    },
  );
  const [{ url, secrets, ...rest }] = webhooks as [(typeof webhooks)[number]];
  assert.equal(url.href, 'https://a.example/x');
  assert.equal(secrets.length, 1);
  assert.deepEqual(rest, {
    ...{ name: 'ops-1', events: CHOSEN_EVENTS, models: [], allowPrivate: false },
    ...{ timeoutMs: 15_000, ca: undefined, secretEnv: 'RATCHET_WEBHOOK_SECRET_OPS_1' },
  });
  assert.equal(publicUrl, undefined);
  assert.deepEqual(loadWebhooks({}, await write('')), { webhooks: [], publicUrl: undefined });
});

test('every setting is read, beside datasets in the same file', async () => {
  await writeFile(join(folder, 'ca.pem'), 'certificates');
  const file = await write(`
publicUrl: https://ratchet.example/
datasets:
  live: { source: yahoo, calendar: nyse }
webhooks:
  own:
    url: http://127.0.0.1:9000/hook
    secretEnv: OWN_SECRET
    events: [drift.detected, model.stale]
    models: [sim-a]
    allowPrivate: true
    timeoutS: 5
    caFile: ca.pem
`);
  const { webhooks, publicUrl } = loadWebhooks({ OWN_SECRET: `${SECRET} ${SECRET}` }, file);
  assert.equal(publicUrl, 'https://ratchet.example');
  const [own] = webhooks;
  assert.deepEqual(own?.events, ['drift.detected', 'model.stale']);
  assert.deepEqual([own?.models, own?.timeoutMs, own?.ca], [['sim-a'], 5_000, 'certificates']);
  assert.equal(own?.secrets.length, 2, 'an old and a new one');
  assert.ok((await loadDatasets({ dataDir: undefined }, file)).has('live'));
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['an unknown section', 'webhook: {}', /webhook/],
  [
    'an unknown setting',
    'webhooks: { a: { url: "https://a.example", retry: 3 } }',
    /webhooks\.a.*retry/,
  ],
  [
    'an unknown event',
    'webhooks: { a: { url: "https://a.example", events: [all] } }',
    /webhooks\.a\.events\.0/,
  ],
  [
    'no events at all',
    'webhooks: { a: { url: "https://a.example", events: [] } }',
    /webhooks\.a\.events/,
  ],
  [
    'a test as a choice',
    'webhooks: { a: { url: "https://a.example", events: [alert.test] } }',
    /events\.0/,
  ],
  ['no address', 'webhooks: { a: { url: "a.example" } }', /webhooks\.a\.url/],
  ['another protocol', 'webhooks: { a: { url: "ftp://a.example" } }', /webhooks\.a\.url/],
  ['no TLS', 'webhooks: { a: { url: "http://a.example" } }', /webhooks\.a\.url.*only https/],
  [
    'a private address',
    'webhooks: { a: { url: "https://10.0.0.1" } }',
    /webhooks\.a\.url.*allowPrivate/,
  ],
  [
    'metadata',
    'webhooks: { a: { url: "https://169.254.169.254", allowPrivate: true } }',
    /never allowed/,
  ],
  [
    'a password in the address',
    'webhooks: { a: { url: "https://u:p@a.example" } }',
    /no user and password/,
  ],
  ['a name with blanks', 'webhooks: { "a b": { url: "https://a.example" } }', /webhooks/],
  [
    'no such file',
    'webhooks: { a: { url: "https://a.example", caFile: no.pem } }',
    /webhooks\.a\.caFile/,
  ],
  [
    'a secret in the file',
    'webhooks: { a: { url: "https://a.example", secretEnv: whsec_x } }',
    /secretEnv/,
  ],
  ['too much patience', 'webhooks: { a: { url: "https://a.example", timeoutS: 600 } }', /timeoutS/],
];
for (const [what, yaml, words] of WRONG) {
  test(`is refused with its path: ${what}`, async () => {
    await assert.rejects(load(yaml), (error) => {
      assert.ok(error instanceof RatchetError);
      assert.equal(error.code, 'config.file');
      assert.match(error.message, words);
      return true;
    });
  });
}

test('a secret that is none is refused without being repeated', async () => {
  const yaml = 'webhooks: { ops: { url: "https://a.example" } }';
  await assert.rejects(load(yaml, { RATCHET_WEBHOOK_SECRET_OPS: 'hunter2' }), (error: Error) => {
    assert.match(error.message, /^RATCHET_WEBHOOK_SECRET_OPS must hold whsec_/);
    return !error.message.includes('hunter2');
  });
});

test("the local stack's worker is given the secrets and nothing else; one that is missing stops `up`", async () => {
  const file = await write(`
webhooks:
  ops: { url: "https://a.example" }
  desk: { url: "https://b.example", secretEnv: DESK }
`);
  const env = { RATCHET_WEBHOOK_SECRET_OPS: SECRET, DESK: SECRET, OTHER: 'x' };
  assert.deepEqual(webhookEnvironment(env, file), {
    RATCHET_WEBHOOK_SECRET_OPS: SECRET,
    DESK: SECRET,
  });
  assert.throws(() => webhookEnvironment({ DESK: SECRET }, file), {
    code: 'webhook.secret-missing',
    message: /the webhook ops needs a secret: set RATCHET_WEBHOOK_SECRET_OPS/,
  });
  assert.deepEqual(webhookEnvironment({}, await write('')), {});
});

test('docs/running.md names every event, and its example is read', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/running.md'), 'utf8');
  const missing = CHOSEN_EVENTS.filter((event) => !text.includes(`| \`${event}\``));
  assert.deepEqual(missing, []);
  const yaml = /```yaml\n(publicUrl[\s\S]*?)```/.exec(text)?.[1];
  assert.ok(yaml);
  await writeFile(join(folder, 'ca.pem'), 'certificates');
  const [ops] = (await load(yaml, { OPS_WEBHOOK_SECRET: SECRET })).webhooks;
  assert.deepEqual([ops?.name, ops?.models, ops?.secrets.length], ['ops', ['index-gspc'], 1]);
});
