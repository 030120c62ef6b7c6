import type { AlertInput } from './lifecycle-messages.ts';
import { alerts } from './stubs.ts';

/** Delivers one alert to everybody who wants it; a receiver that never answers holds up no other. */
export async function alert({ alertId }: AlertInput): Promise<void> {
  const { webhooks } = await alerts.alertTargets({ alertId });
  await Promise.allSettled(webhooks.map((webhook) => alerts.deliverAlert({ alertId, webhook })));
}
