import type { ParityResult } from '../../../activities/contracts-parity.ts';
import { failingFirst, permanent } from '../../support/scripted-activities.ts';
import { MODEL, day, ended, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const input = { model: MODEL, reportId: '01JPARITY00000000000000000' };
const result = (change: Partial<ParityResult> = {}): ParityResult => ({
  ...{ reportId: input.reportId, done: true, replayed: 10_000, late: 2, different: 0 },
  ...change,
});

/** Two calls that leave more to do, and the last. */
function threeCalls(): () => Promise<ParityResult> {
  let calls = 0;
  return async () => result({ done: ++calls === 3, replayed: calls * 3_000 });
}

export const PARITY_SCENES: readonly Scene[] = [
  { type: 'parity', name: 'asked-for', input },
  { type: 'parity', name: 'scheduled', input: { model: MODEL }, scheduledAt: day(5) },
  {
    ...{ type: 'parity', name: 'different', input },
    script: { override: { replayPredictions: async () => result({ different: 3 }) } },
    play: ended,
  },
  {
    ...{ type: 'parity', name: 'several-calls', input },
    script: { override: { replayPredictions: threeCalls() } },
  },
  {
    ...{ type: 'parity', name: 'retried', input },
    script: {
      override: { replayPredictions: failingFirst(2, new Error('connection refused'), result()) },
    },
  },
  {
    ...{ type: 'parity', name: 'failed', input },
    script: {
      override: {
        replayPredictions: async () => {
          throw permanent('parity.unknown', 'there is no such report');
        },
      },
    },
    play: ended,
  },
  {
    ...{ type: 'parity', name: 'cancelled', input },
    script: { override: { replayPredictions: untilCancelled } },
    play: async (stage) => {
      await stage.called('replayPredictions');
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  { ...{ type: 'parity', name: 'crash-resumed', input }, crashIn: 'workflows' },
];
