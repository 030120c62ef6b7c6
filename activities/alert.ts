import { ApplicationFailure } from '@temporalio/common';
import { alertBody } from '../core/alerts/index.ts';
import { RatchetError } from '../core/errors.ts';
import {
  findDelivery,
  getAlertOrThrow,
  openDeliveries,
  recordAttempt,
  type AlertRow,
} from '../registry/alerts.ts';
import type { AlertTargets, DeliverAlertInput } from './contracts-lifecycle.ts';
import type { ActivityDeps, WebhookAnswer } from './deps.ts';

/**
 * An attempt that fails this long after the alert was recorded is the last one. The workflow retries for
 * a day: the row says how it ended before that.
 */
export const GIVE_UP_MS = 23 * 3_600_000;
/** A receiver may ask for a pause (`retry-after`), but not for one that outlives the day. */
const PAUSE_MAX_S = 3_600;

/** How one attempt ended. */
type Attempt =
  | { readonly status: 'delivered' }
  | { readonly status: 'pending'; readonly error: string; readonly retryAfterS?: number }
  | { readonly status: 'failed'; readonly error: string }
  | { readonly status: 'refused'; readonly error: string };

/** Webhooks: who shall hear of an alert, and one POST an attempt. */
export function createAlertActivities({ db, webhooks, clock, log }: ActivityDeps) {
  async function tryOnce(alert: AlertRow, webhook: string): Promise<Attempt> {
    const body = alertBody(alert, alert.createdAt.toISOString(), webhooks.publicUrl);
    try {
      return judged(await webhooks.post(webhook, { id: alert.id, body }));
    } catch (error) {
      if (!(error instanceof RatchetError)) throw error;
      return error.permanent
        ? { status: 'refused', error: error.message }
        : { status: 'pending', error: error.message };
    }
  }

  return {
    /** The webhooks that want this alert; their deliveries are on record from here on. */
    async alertTargets({ alertId }: { readonly alertId: string }): Promise<AlertTargets> {
      const alert = await getAlertOrThrow(db, alertId);
      const names = webhooks.wanting(alert);
      await openDeliveries(db, alertId, names);
      return { webhooks: names };
    },

    /**
     * Delivers an alert to one webhook. Answers of 200 to 299 are success; 408, 429, 5xx and no answer at
     * all throw `webhook.unavailable` (again later); anything else throws `webhook.rejected`, an address
     * or a setting that is not allowed `webhook.refused`, both for good.
     */
    async deliverAlert({ alertId, webhook }: DeliverAlertInput): Promise<void> {
      const alert = await getAlertOrThrow(db, alertId);
      const delivery = await findDelivery(db, alertId, webhook);
      // An attempt whose report was lost is not repeated.
      if (delivery?.status === 'delivered') return;
      if (!delivery) await openDeliveries(db, alertId, [webhook]);
      const attempt = lastIfOld(await tryOnce(alert, webhook), alert, clock());
      const error = attempt.status === 'delivered' ? null : attempt.error;
      await recordAttempt(db, { alertId, webhook, status: attempt.status, error });
      if (attempt.status !== 'delivered') {
        log.warn({ alertId, webhook, status: attempt.status, error }, 'an alert did not arrive');
        throw failureOf(attempt, webhook);
      }
    },
  };
}

/** Status codes as Standard Webhooks reads them; redirects are not followed. */
function judged({ status, retryAfterS }: WebhookAnswer): Attempt {
  const error = `it answered ${status}`;
  if (status >= 200 && status < 300) return { status: 'delivered' };
  if (status === 408 || status === 429 || status >= 500) {
    return { status: 'pending', error, ...(retryAfterS !== undefined && { retryAfterS }) };
  }
  if (status === 410) {
    return { status: 'failed', error: `${error}: it wants no more webhooks; take it out` };
  }
  if (status >= 300 && status < 400) {
    return { status: 'failed', error: `${error}: redirects are not followed; name the final url` };
  }
  return { status: 'failed', error };
}

function lastIfOld(attempt: Attempt, { createdAt }: AlertRow, now: number): Attempt {
  if (attempt.status !== 'pending' || now - createdAt.getTime() < GIVE_UP_MS) return attempt;
  return { status: 'failed', error: `${attempt.error}; given up after 23 hours` };
}

function failureOf(attempt: Exclude<Attempt, { status: 'delivered' }>, webhook: string): Error {
  const message = `The webhook ${webhook} did not take the alert: ${attempt.error}.`;
  if (attempt.status === 'refused') return new RatchetError('webhook.refused', message);
  if (attempt.status === 'failed') return new RatchetError('webhook.rejected', message);
  return ApplicationFailure.create({
    message,
    type: 'webhook.unavailable',
    ...(attempt.retryAfterS !== undefined && {
      nextRetryDelay: `${Math.min(attempt.retryAfterS, PAUSE_MAX_S)} seconds`,
    }),
  });
}
