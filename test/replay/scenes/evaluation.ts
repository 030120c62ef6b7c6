import { failingFirst, permanent } from '../../support/scripted-activities.ts';
import { ended, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const input = { evaluationId: '01JEVALUATION0000000000000' };

export const EVALUATION_SCENES: readonly Scene[] = [
  { type: 'evaluation', name: 'ok', input },
  {
    ...{ type: 'evaluation', name: 'retried', input },
    script: {
      override: {
        evaluateVersion: failingFirst(2, new Error('connection refused'), { verdict: 'Fine.' }),
      },
    },
  },
  {
    ...{ type: 'evaluation', name: 'nothing-to-judge', input },
    script: {
      override: {
        evaluateVersion: async () => {
          throw permanent('evaluation.noRows', 'there is nothing to judge');
        },
      },
    },
    play: ended,
  },
  {
    ...{ type: 'evaluation', name: 'cancelled', input },
    script: { override: { evaluateVersion: untilCancelled } },
    play: async (stage) => {
      await stage.called('evaluateVersion');
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  { ...{ type: 'evaluation', name: 'crash-resumed', input }, crashIn: 'workflows' },
];
