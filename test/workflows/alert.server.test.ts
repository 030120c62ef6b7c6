import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { createAlertActivities } from '../../activities/alert.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { withFailures } from '../../activities/failures.ts';
import { CHOSEN_EVENTS, composeAlert, parseWebhookSecrets } from '../../core/alerts/index.ts';
import { alertWithDeliveries, recordAlert } from '../../registry/alerts.ts';
import { createWebhooks, type Webhook } from '../../workers/webhooks.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { memoryLog } from '../support/api-fixture.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { scriptedActivities } from '../support/scripted-activities.ts';
import { startTimeSkipping, timeSkippingMissing } from '../support/time-skipping.ts';
import { openReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const HOUR_MS = 3_600_000;
const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;

describe('workflow alert, with real deliveries', { skip: timeSkippingMissing }, () => {
  let env: TestWorkflowEnvironment;
  let database: TestDatabase;
  let receivers: Record<'up' | 'later' | 'never', WebhookReceiver>;
  /** The server's clock, as it was when a receiver was last asked. */
  let now = 0;

  before(async () => {
    env = await startTimeSkipping();
    database = await openTestDatabase();
    receivers = {
      up: await openReceiver(),
      later: await openReceiver(),
      never: await openReceiver(),
    };
  });
  after(async () => {
    for (const receiver of Object.values(receivers)) await receiver.close();
    await database.close();
    await env.teardown();
  });

  function activities() {
    const webhooks = Object.entries(receivers).map(([name, { url }]): Webhook => ({
      ...{ name, url: new URL(url), events: CHOSEN_EVENTS, models: [], allowPrivate: true },
      ...{ timeoutMs: 5_000, ca: undefined, secretEnv: 'X' },
      secrets: parseWebhookSecrets(SECRET, 'X'),
    }));
    const clock = (): number => now;
    const deps = {
      ...{ db: database.db, clock, log: memoryLog() },
      webhooks: createWebhooks({ webhooks, publicUrl: undefined }, { clock, version: 'test' }),
    };
    return withFailures(createAlertActivities(deps as Partial<ActivityDeps> as ActivityDeps));
  }

  it('a receiver that is down for hours gets it in the end, one that stays down holds up nobody', async () => {
    const begin = await env.currentTimeMs();
    now = begin;
    const arrivals: Record<string, number> = {};
    const passed = async (): Promise<number> => {
      now = await env.currentTimeMs();
      return now - begin;
    };
    receivers.up.react(async (response) => {
      arrivals['up'] = await passed();
      response.writeHead(204).end();
    });
    receivers.later.react(async (response) => {
      const ms = await passed();
      if (ms < 5 * HOUR_MS) {
        response.writeHead(500).end();
        return;
      }
      arrivals['later'] = ms;
      response.writeHead(204).end();
    });
    receivers.never.react(async (response) => {
      arrivals['never'] = await passed();
      response.writeHead(500).end();
    });
    const alert = composeAlert('retrain.failed', {
      ...{ model: 'sim-a', asOf: null, retrainId: 'R1', experimentId: 'E1' },
      reason: 'No bars came.',
    });
    await recordAlert(database.db, alert);
    const { activities: scripted } = scriptedActivities();
    await withWorkers(env.nativeConnection, { ...scripted, ...activities() }, () =>
      env.client.workflow.execute('alert', {
        taskQueue: TASK_QUEUES.orchestration,
        workflowId: workflowIds.alert(alert.id),
        args: [{ alertId: alert.id }],
      }),
    );
    assert.ok(arrivals['up']! < HOUR_MS / 2, 'at once');
    assert.ok(arrivals['later']! >= 5 * HOUR_MS && arrivals['later']! < 6 * HOUR_MS);
    const { deliveries } = await alertWithDeliveries(database.db, alert.id);
    const ends = deliveries.map(({ webhook, status }) => `${webhook}: ${status}`);
    assert.deepEqual(ends, ['later: delivered', 'never: failed', 'up: delivered']);
    assert.match(deliveries[1]?.last_error ?? '', /given up after 23 hours/);
    const last = arrivals['never']!;
    assert.ok(
      last >= 23 * HOUR_MS && last < 23.5 * HOUR_MS,
      `${last / HOUR_MS} h: before a day is over`,
    );
    assert.equal(receivers.up.posts.length, 1);
    const ids = new Set(receivers.never.posts.map(({ headers }) => headers['webhook-id']));
    assert.deepEqual(ids, new Set([alert.id]));
    assert.ok(receivers.never.posts.length > 100);
  });
});
