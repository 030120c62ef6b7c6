import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { GIVE_UP_MS, createAlertActivities } from '../../activities/alert.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { withFailures } from '../../activities/failures.ts';
import { CHOSEN_EVENTS, composeAlert, parseWebhookSecrets } from '../../core/alerts/index.ts';
import { alertWithDeliveries, listAlerts, recordAlert } from '../../registry/alerts.ts';
import { createWebhooks, type Webhook } from '../../workers/webhooks.ts';
import { memoryLog } from '../support/api-fixture.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { openReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

interface Received {
  readonly type: string;
  readonly data: { readonly id: string; readonly words: string; readonly evidence: string };
}
interface Example {
  verifyWebhook(
    headers: Readonly<Record<string, string>>,
    body: string,
    secret: string,
    nowS?: number,
  ): { id: string; alert: Received };
  receiver(secret: string, onAlert: (alert: Received) => void): Server;
}
const { verifyWebhook, receiver: exampleReceiver } = (await import(
  new URL('../../examples/verify-webhook.mjs', import.meta.url).href
)) as Example;

describe('alert activities', () => {
  let database: TestDatabase;
  let receiver: WebhookReceiver;
  let clock = Date.now();
  let trials = 0;
  const log = memoryLog();

  before(async () => {
    database = await openTestDatabase();
    receiver = await openReceiver();
  });
  after(async () => {
    await receiver.close();
    await database.close();
  });
  beforeEach(() => {
    clock = Date.now();
    receiver.react(204);
  });

  const webhook = (change: Partial<Webhook> = {}): Webhook => ({
    ...{ name: 'ops', url: new URL(`${receiver.url}/T0KEN`), events: CHOSEN_EVENTS, models: [] },
    ...{
      allowPrivate: true,
      timeoutMs: 500,
      ca: undefined,
      secretEnv: 'RATCHET_WEBHOOK_SECRET_OPS',
    },
    secrets: parseWebhookSecrets(SECRET, 'X'),
    ...change,
  });

  function activities(...webhooks: Webhook[]) {
    const settings = { webhooks, publicUrl: 'https://ratchet.example' };
    const deps = {
      ...{ db: database.db, clock: () => clock, log },
      webhooks: createWebhooks(settings, { clock: () => clock, version: 'test' }),
    };
    return withFailures(createAlertActivities(deps as Partial<ActivityDeps> as ActivityDeps));
  }

  /** A new alert on record. */
  async function alerted(model = 'sim-a'): Promise<string> {
    const alert = composeAlert('trial.aborted', {
      ...{ model, asOf: '2024-05-01T00:00:00.000Z', version: 4, trialId: `T${trials++}` },
      reasons: ['Its loss was 40 % higher.'],
    });
    assert.equal(await recordAlert(database.db, alert), true);
    assert.equal(await recordAlert(database.db, alert), false, 'once');
    return alert.id;
  }

  const deliver = (alertId: string, hook = webhook()): Promise<void> =>
    activities(hook).deliverAlert({ alertId, webhook: hook.name });

  const failure = async (sent: Promise<unknown>): Promise<ApplicationFailure> => {
    let caught: unknown;
    await sent.catch((error: unknown) => (caught = error));
    assert.ok(caught instanceof ApplicationFailure, String(caught));
    assert.ok(!`${caught.message}${JSON.stringify(caught.details)}`.includes('T0KEN'));
    return caught;
  };
  const delivery = async (alertId: string) => {
    const { deliveries } = await alertWithDeliveries(database.db, alertId);
    const [{ status, attempts, last_error }] = deliveries as [(typeof deliveries)[number]];
    return { status, attempts, error: last_error };
  };

  it('puts on record who is to hear of it, once', async () => {
    const alertId = await alerted();
    const hooks = [
      webhook(),
      webhook({ name: 'other', models: ['sim-b'] }),
      webhook({ name: 'all' }),
    ];
    const { alertTargets } = activities(...hooks);
    for (let n = 0; n < 2; n++) {
      assert.deepEqual(await alertTargets({ alertId }), { webhooks: ['ops', 'all'] });
    }
    const { deliveries } = await alertWithDeliveries(database.db, alertId);
    assert.deepEqual(
      deliveries.map((d) => [d.webhook, d.status, d.attempts]),
      [
        ['all', 'pending', 0],
        ['ops', 'pending', 0],
      ],
    );
  });

  it('sends what the receiver of the documentation accepts', async () => {
    const alertId = await alerted();
    await deliver(alertId);
    const { headers, body } = receiver.posts.at(-1)!;
    const flat = headers as Record<string, string>;
    const nowS = Math.floor(clock / 1000);
    const { id, alert } = verifyWebhook(flat, body, SECRET, nowS);
    assert.equal(id, alertId);
    assert.equal(alert.type, 'trial.aborted');
    assert.match(alert.data.words, /stopped; the champion stays/);
    assert.equal(
      alert.data.evidence,
      `https://ratchet.example/api/v1/ml-models/sim-a/trials/T${trials - 1}`,
    );
    assert.throws(() => verifyWebhook(flat, `${body} `, SECRET, nowS), /signature/);
    assert.throws(() => verifyWebhook({ ...flat, 'webhook-id': 'x' }, body, SECRET, nowS));
    const wrong = `whsec_${Buffer.alloc(32).toString('base64')}`;
    assert.throws(() => verifyWebhook(flat, body, wrong, nowS), /signature/);
    assert.throws(() => verifyWebhook(flat, body, SECRET, nowS + 301), /too old/);
    assert.deepEqual(await delivery(alertId), { status: 'delivered', attempts: 1, error: null });
  });

  it('is tried again after 500, 429, silence; the repeats have one id and one body', async () => {
    const alertId = await alerted();
    const slow = (): void => undefined;
    receiver.react(500, 429, slow, 200);
    const before = receiver.posts.length;
    const errors: (string | null)[] = [];
    for (let n = 0; n < 3; n++) {
      const error = await failure(deliver(alertId));
      assert.deepEqual([error.type, error.nonRetryable], ['webhook.unavailable', false]);
      clock += 60_000;
      errors.push((await delivery(alertId)).error);
    }
    assert.match(
      errors.join('; '),
      /^it answered 500; it answered 429; 127\.0\.0\.1:\d+: no answer within 0\.5 s$/,
    );
    await deliver(alertId);
    assert.deepEqual(await delivery(alertId), { status: 'delivered', attempts: 4, error: null });
    const sent = receiver.posts.slice(before);
    const distinct = (of: (post: (typeof sent)[number]) => unknown): number =>
      new Set(sent.map(of)).size;
    assert.equal(
      distinct(({ body }) => body),
      1,
    );
    assert.equal(
      distinct(({ headers }) => headers['webhook-id']),
      1,
    );
    assert.equal(
      distinct(({ headers }) => headers['webhook-timestamp']),
      4,
      'of each attempt',
    );
  });

  it('is not sent again once it was delivered', async () => {
    const alertId = await alerted();
    await deliver(alertId);
    const before = receiver.posts.length;
    await deliver(alertId);
    assert.equal(receiver.posts.length, before);
    assert.equal((await delivery(alertId)).attempts, 1);
  });

  it('waits as long as the receiver asks, an hour at most', async () => {
    const asked = async (retryAfter: string): Promise<unknown> => {
      receiver.react(
        (response) => void response.writeHead(503, { 'retry-after': retryAfter }).end(),
      );
      return (await failure(deliver(await alerted()))).nextRetryDelay;
    };
    assert.equal(await asked('120'), '120 seconds');
    assert.equal(await asked('9999999'), '3600 seconds');
    assert.equal(await asked(new Date(clock + 90_000).toUTCString()), '90 seconds');
    assert.equal(await asked('soon'), undefined);
  });

  it('is given up for good where the receiver refuses, redirects or is gone', async () => {
    for (const [status, words] of [
      [400, /it answered 400$/],
      [404, /it answered 404$/],
      [410, /410: it wants no more webhooks/],
      [302, /302: redirects are not followed/],
    ] as const) {
      const alertId = await alerted();
      receiver.react(status);
      const error = await failure(deliver(alertId));
      assert.deepEqual([error.type, error.nonRetryable], ['webhook.rejected', true]);
      const row = await delivery(alertId);
      assert.equal(row.status, 'failed');
      assert.match(row.error ?? '', words);
    }
  });

  it('is refused where the address, the secret or the webhook itself is not right', async () => {
    const before = receiver.connections();
    const cases = [
      [webhook({ allowPrivate: false }), /https/],
      [webhook({ allowPrivate: false, url: new URL('https://169.254.169.254/') }), /never allowed/],
      [webhook({ secrets: [] }), /RATCHET_WEBHOOK_SECRET_OPS is not set/],
    ] as const;
    for (const [hook, words] of cases) {
      const alertId = await alerted();
      const error = await failure(deliver(alertId, hook));
      assert.deepEqual([error.type, error.nonRetryable], ['webhook.refused', true]);
      const row = await delivery(alertId);
      assert.equal(row.status, 'refused');
      assert.match(row.error ?? '', words);
    }
    const alertId = await alerted();
    const gone = activities().deliverAlert({ alertId, webhook: 'ops' });
    assert.match((await failure(gone)).message, /no longer defined/);
    assert.equal(receiver.connections(), before);
  });

  it('says how it ended before the workflow stops trying', async () => {
    const alertId = await alerted();
    receiver.react(500);
    clock += GIVE_UP_MS - 60_000;
    assert.equal((await failure(deliver(alertId))).nonRetryable, false);
    clock += 120_000;
    assert.equal((await failure(deliver(alertId))).nonRetryable, true);
    const row = await delivery(alertId);
    assert.deepEqual([row.status, row.attempts], ['failed', 2]);
    assert.match(row.error ?? '', /given up after 23 hours/);
  });

  it('a late report of an attempt does not take back a delivery', async () => {
    const alertId = await alerted();
    // The first attempt hangs until the second one was delivered, and then fails.
    let fail: () => void = () => undefined;
    const patient = webhook({ timeoutMs: 10_000 });
    let first: Promise<ApplicationFailure> | undefined;
    await new Promise<void>((arrived) => {
      receiver.react((response) => {
        fail = () => void response.writeHead(500).end();
        arrived();
      }, 204);
      first = failure(deliver(alertId, patient));
    });
    await deliver(alertId, patient);
    fail();
    assert.equal((await first)?.type, 'webhook.unavailable');
    assert.equal((await delivery(alertId)).status, 'delivered');
  });

  it('throws for an alert that is not on record', async () => {
    const error = await failure(deliver(`alert_${'0'.repeat(32)}`));
    assert.deepEqual([error.type, error.nonRetryable], ['alert.unknown', true]);
  });

  it("the documentation's receiver takes an alert once and nothing that is not signed", async () => {
    const taken: string[] = [];
    const server = exampleReceiver(SECRET, (alert) => void taken.push(alert.data.id));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    const url = new URL(`http://127.0.0.1:${port}/`);
    const alertId = await alerted();
    const { post } = createWebhooks(
      { webhooks: [webhook({ url })], publicUrl: undefined },
      { clock: () => Date.now(), version: 'test' },
    );
    const body = JSON.stringify({ type: 'x', data: { id: alertId } });
    for (let n = 0; n < 2; n++)
      assert.equal((await post('ops', { id: alertId, body })).status, 204);
    assert.deepEqual(taken, [alertId]);
    const unsigned = await fetch(url, { method: 'POST', body, redirect: 'error' });
    assert.equal(unsigned.status, 401);
    server.close();
  });

  it('lists alerts newest first, page by page, for some models', async () => {
    const [a, b] = [await alerted('sim-page'), await alerted('sim-page')];
    const c = await alerted('sim-other');
    const ids = async (query: object): Promise<string[]> =>
      (await listAlerts(database.db, { limit: 10, ...query })).map(({ id }) => id);
    assert.deepEqual((await ids({})).slice(0, 3), [c, b, a]);
    assert.deepEqual(await ids({ model: 'sim-page' }), [b, a]);
    assert.deepEqual(await ids({ model: 'sim-page', limit: 1 }), [b]);
    assert.deepEqual(await ids({ model: 'sim-page', limit: 1, before: b }), [a]);
    assert.deepEqual(await ids({ models: ['sim-other'] }), [c]);
    assert.deepEqual(await ids({ event: 'champion.promoted' }), []);
  });
});
