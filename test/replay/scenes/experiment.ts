import { Context } from '@temporalio/activity';
import { failingFirst, permanent, scriptedActivities } from '../../support/scripted-activities.ts';
import { ended, type Scene } from '../scene.ts';

const input = { experimentId: 'E1' };
const artifact = { uri: 'cas/01', sha256: '01', bytes: 1 };
const down = (): Error => new Error('connection refused');
const { activities } = scriptedActivities();
const prepared = { ...(await activities.buildFeatures({} as never)), refit: artifact };

/** Waits in an activity until the workflow is cancelled. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  return context.cancelled.finally(() => clearInterval(beat));
}

export const EXPERIMENT_SCENES: readonly Scene[] = [
  { type: 'experiment', name: 'ok', input },
  {
    type: 'experiment',
    name: 'retried',
    input,
    script: {
      override: {
        openExperiment: failingFirst(2, down(), await activities.openExperiment(input)),
      },
    },
  },
  {
    type: 'experiment',
    name: 'cancelled',
    input,
    script: { override: { fit: untilCancelled } },
    play: async (stage) => {
      await stage.called('fit');
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  { type: 'experiment', name: 'crash-resumed', input, crashIn: 'fit' },
  {
    type: 'experiment',
    name: 'refitted',
    input,
    script: { override: { buildFeatures: async () => prepared } },
  },
  {
    type: 'experiment',
    name: 'searched',
    input,
    script: { search: { trials: 4, parallel: 2, rungs: 2 } },
  },
  {
    type: 'experiment',
    name: 'to-trial',
    input,
    script: { decision: { trial: 'shadow', reasons: ['beats the champion offline'] } },
  },
  {
    type: 'experiment',
    name: 'markets-apart',
    input,
    script: {
      ...{ apart: true, units: ['index-gspc', 'index-ixic', 'index-dji', 'index-rut'] },
      override: {
        collect: async (asked) => {
          if (asked.instrument === '^rut') throw permanent('collect.noBars', 'no bars of ^rut');
          return activities.collect(asked);
        },
        validate: async (asked) => ({
          ...(await activities.validate(asked)),
          ...{ passed: false, reasons: ['^dji: flat'] },
          failed: [{ instrument: '^dji', reason: '^dji: flat' }],
        }),
        buildFeatures: async ({ unit }) => {
          if (unit.model === 'index-ixic') throw permanent('data.short', 'too few bars');
          return prepared;
        },
      },
    },
  },
  {
    type: 'experiment',
    name: 'two-models-one-fails',
    input,
    script: {
      units: ['index-gspc', 'index-ixic'],
      override: {
        buildFeatures: async ({ unit }) => {
          if (unit.model === 'index-ixic') throw permanent('data.short', 'too few bars');
          return prepared;
        },
      },
    },
  },
];
