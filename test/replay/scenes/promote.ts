import { failingFirst } from '../../support/scripted-activities.ts';
import { ended, MODEL, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const input = {
  promotionId: 'P1',
  model: MODEL,
  version: 7,
  actor: 'ada',
  reason: 'proved better',
  expectedGeneration: 0,
};
const announced = { status: 'announced', replicas: 1 } as const;
const watched = { status: 'promoted', generation: 1, watched: true } as const;

export const PROMOTE_SCENES: readonly Scene[] = [
  { type: 'promote', name: 'ok', input, script: { switched: watched } },
  {
    type: 'promote',
    name: 'retried',
    input,
    script: {
      switched: watched,
      override: { announcePromotion: failingFirst(2, new Error('connection refused'), announced) },
    },
  },
  {
    type: 'promote',
    name: 'cancelled',
    input,
    script: { override: { awaitReplicas: untilCancelled } },
    play: async (stage) => {
      await stage.called('awaitReplicas');
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  {
    type: 'promote',
    name: 'crash-resumed',
    input,
    script: { switched: watched },
    crashIn: 'awaitReplicas',
  },
  {
    type: 'promote',
    name: 'withdrawn',
    input,
    script: { replicas: { status: 'failed', reason: 'replica a: the digest differs' } },
  },
  {
    type: 'promote',
    name: 'lost-the-race',
    input,
    script: { intent: { status: 'conflict', reason: 'generation 1' } },
  },
  { type: 'promote', name: 'rollback', input: { ...input, kind: 'rollback' } },
];
