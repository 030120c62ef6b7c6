import { createHash } from 'node:crypto';
import { alertEvents, type AlertEvent, type AlertEventEntry, type AlertFacts } from './events.ts';

/** One thing that happened, as it is stored. */
export interface Alert<E extends AlertEvent = AlertEvent> {
  /** Same occurrence, same id: `alert_` and 32 hexadecimal digits (no full stop: it is signed). */
  readonly id: string;
  readonly event: E;
  readonly model: string | null;
  /** Market time, ISO. */
  readonly asOf: string | null;
  readonly payload: AlertPayload;
}

export interface AlertPayload {
  readonly words: string;
  /** Path of the API; null: no evidence. */
  readonly evidence: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Longest text of a reason that goes out: the evidence holds all of it. */
const WORDS_MAX_CHARS = 2_000;

/** The alert of an event: deterministic, so that a repeated activity composes the same one. */
export function composeAlert<E extends AlertEvent>(event: E, facts: AlertFacts[E]): Alert<E> {
  const entry: AlertEventEntry<AlertFacts[E]> = alertEvents[event];
  const digest = createHash('sha256').update(JSON.stringify([event, entry.key(facts)]));
  const { model, asOf, ...rest } = facts;
  return {
    id: `alert_${digest.digest('hex').slice(0, 32)}`,
    event,
    model,
    asOf,
    payload: {
      words: entry.words(facts).slice(0, WORDS_MAX_CHARS),
      evidence: entry.evidence(facts),
      facts: rest,
    },
  };
}

/** What of the operator's webhook decides whether it hears of an alert. */
export interface WebhookFilter {
  readonly name: string;
  readonly events: readonly AlertEvent[];
  /** Empty: all models. */
  readonly models: readonly string[];
}

/** A test goes to the webhook it names, or to all of them. */
export function wantsAlert(
  webhook: WebhookFilter,
  alert: Pick<Alert, 'event' | 'model' | 'payload'>,
): boolean {
  if (alert.event === 'alert.test') {
    const only = alert.payload.facts['webhook'];
    return typeof only !== 'string' || only === webhook.name;
  }
  if (!webhook.events.includes(alert.event)) return false;
  if (webhook.models.length === 0) return true;
  return alert.model !== null && webhook.models.includes(alert.model);
}

/**
 * Body of the POST: `type`, `timestamp` (when it was recorded) and `data`, the form that Standard
 * Webhooks recommends. The same alert gives the same bytes at every attempt.
 *
 * @param publicUrl where people reach the API, without a slash at its end; absent: evidence is a path
 */
export function alertBody(
  { id, event, model, asOf, payload }: Alert,
  recordedAt: string,
  publicUrl?: string,
): string {
  const { words, facts } = payload;
  const evidence = payload.evidence === null ? null : `${publicUrl ?? ''}${payload.evidence}`;
  const data = { id, model, asOf, words, evidence, facts };
  return JSON.stringify({ type: event, timestamp: recordedAt, data });
}
