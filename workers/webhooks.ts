import type { Webhooks } from '../activities/deps.ts';
import { signatureHeaders, wantsAlert, type AlertEvent } from '../core/alerts/index.ts';
import { RatchetError } from '../core/errors.ts';
import { guardedPost } from './guarded-post.ts';
import type { Resolve } from './reach.ts';

/** A webhook that the operator defined. */
export interface Webhook {
  readonly name: string;
  readonly url: URL;
  readonly events: readonly AlertEvent[];
  /** Empty: all models. */
  readonly models: readonly string[];
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
  readonly ca: string | undefined;
  /** Variable of the environment that holds the secrets. */
  readonly secretEnv: string;
  /** Empty: the variable is not set in this process. */
  readonly secrets: readonly Uint8Array[];
}

export interface WebhookSettings {
  readonly webhooks: readonly Webhook[];
  readonly publicUrl: string | undefined;
}

/** The operator's webhooks as activities use them. `clock` gives wall time in ms. */
export function createWebhooks(
  { webhooks, publicUrl }: WebhookSettings,
  options: { readonly clock: () => number; readonly version: string; readonly resolve?: Resolve },
): Webhooks {
  const byName = new Map(webhooks.map((webhook) => [webhook.name, webhook]));
  return {
    publicUrl,
    wanting: (alert) =>
      webhooks.filter((webhook) => wantsAlert(webhook, alert)).map(({ name }) => name),
    async post(name, { id, body }) {
      const webhook = byName.get(name);
      if (!webhook) throw new RatchetError('webhook.unknown', 'it is no longer defined');
      if (webhook.secrets.length === 0) {
        const what = `${webhook.secretEnv} is not set where the worker runs`;
        throw new RatchetError('webhook.secret-missing', what);
      }
      const now = options.clock();
      const timestampS = Math.floor(now / 1000);
      const { status, retryAfter } = await guardedPost({
        ...webhook,
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': `ratchet/${options.version}`,
          ...signatureHeaders({ id, timestampS, body }, webhook.secrets),
        },
        ...(options.resolve !== undefined && { resolve: options.resolve }),
      });
      const retryAfterS = secondsOf(retryAfter, now);
      return { status, ...(retryAfterS !== undefined && { retryAfterS }) };
    },
  };
}

/** `retry-after`: seconds, or a date of HTTP; anything else says nothing. */
function secondsOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000);
  return seconds >= 1 ? seconds : undefined;
}
