import { createWebhooks } from '../../workers/webhooks.ts';

/** For activities of which none sends an alert. */
export const noWebhooks = createWebhooks(
  { webhooks: [], publicUrl: undefined },
  { clock: () => 0, version: 'test' },
);
