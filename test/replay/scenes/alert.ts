import { failingFirst, permanent } from '../../support/scripted-activities.ts';
import type { Scene } from '../scene.ts';

const input = { alertId: 'alert-1' };
const wanted = async () => ({ webhooks: ['ops', 'desk'] });

export const ALERT_SCENES: readonly Scene[] = [
  { type: 'alert', name: 'nobody-wants-it', input },
  { type: 'alert', name: 'delivered', input, script: { override: { alertTargets: wanted } } },
  {
    ...{ type: 'alert', name: 'one-dead', input },
    script: {
      override: {
        alertTargets: wanted,
        deliverAlert: async ({ webhook }) => {
          if (webhook === 'ops') throw permanent('webhook.refused', 'the receiver answered 410');
        },
      },
    },
  },
  {
    ...{ type: 'alert', name: 'retried', input },
    script: {
      override: {
        alertTargets: wanted,
        deliverAlert: failingFirst(2, new Error('no answer'), undefined),
      },
    },
  },
  {
    ...{ type: 'alert', name: 'crash-resumed', input, crashIn: 'workflows' },
    script: { override: { alertTargets: wanted } },
  },
];
