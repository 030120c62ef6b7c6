import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { MODEL, day, ended, type Scene, type Stage } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const inputOf = (experimentId: string): object => ({
  ...{ model: MODEL, retrainId: `retrain-${experimentId}`, experimentId, asOf: day(9) },
});

/** Somebody else runs the experiment already, on workers of their own. */
const takenBefore =
  (experimentId: string) =>
  (env: TestWorkflowEnvironment): Promise<unknown> =>
    env.client.workflow.start('experiment', {
      taskQueue: 'nobody',
      workflowId: `experiment/${experimentId}`,
      args: [{ experimentId }],
    });

const cancelledIn =
  (activity: 'fit' | 'awaitExperiment') =>
  async (stage: Stage): Promise<void> => {
    await stage.called(activity);
    await stage.handle.cancel();
    await ended(stage);
  };

export const RETRAIN_SCENES: readonly Scene[] = [
  { type: 'retrain', name: 'completed', input: inputOf('R1') },
  {
    ...{ type: 'retrain', name: 'failed', input: inputOf('R2') },
    script: { validation: ['Too many bars are missing.'] },
  },
  {
    ...{ type: 'retrain', name: 'cancelled', input: inputOf('R3'), play: cancelledIn('fit') },
    script: { override: { fit: untilCancelled } },
  },
  {
    ...{ type: 'retrain', name: 'found-running', input: inputOf('R4') },
    prepare: takenBefore('R4'),
  },
  {
    ...{ type: 'retrain', name: 'found-failing', input: inputOf('R5') },
    prepare: takenBefore('R5'),
    script: {
      override: { awaitExperiment: async () => ({ status: 'failed', message: 'No bars came.' }) },
    },
  },
  {
    ...{ type: 'retrain', name: 'found-and-cancelled', input: inputOf('R6') },
    prepare: takenBefore('R6'),
    script: { override: { awaitExperiment: untilCancelled } },
    play: cancelledIn('awaitExperiment'),
  },
  { ...{ type: 'retrain', name: 'crash-resumed', input: inputOf('R7') }, crashIn: 'fit' },
];
