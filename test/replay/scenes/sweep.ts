import { failingFirst, permanent } from '../../support/scripted-activities.ts';
import { ended, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const input = {
  experimentId: 'E1',
  unit: { model: 'index-gspc', instruments: ['^GSPC'] },
  prepared: { uri: 'cas/00', sha256: '00', bytes: 1 },
  trials: 6,
  parallel: 2,
  rungs: 2,
  next: 0,
};
const down = (): Error => new Error('connection refused');

export const SWEEP_SCENES: readonly Scene[] = [
  { type: 'sweep', name: 'ok', input },
  {
    type: 'sweep',
    name: 'retried',
    input,
    script: { override: { suggestTrial: failingFirst(2, down(), { stop: false }) } },
  },
  {
    type: 'sweep',
    name: 'exhausted',
    input,
    script: { override: { suggestTrial: async ({ trial }) => ({ stop: trial >= 3 }) } },
  },
  {
    type: 'sweep',
    name: 'one-trial-fails',
    input,
    script: {
      override: {
        fitTrial: async ({ trial }) => {
          if (trial === 1) throw permanent('training.nan-loss', 'the loss became NaN');
          return { goesOn: false };
        },
      },
    },
  },
  {
    type: 'sweep',
    name: 'none-ends-well',
    input,
    script: {
      override: {
        completeSearch: async () => {
          throw permanent('search.no-trial', 'none of 6 trials was trained to its end');
        },
      },
    },
  },
  {
    type: 'sweep',
    name: 'cancelled',
    input,
    script: { override: { fitTrial: untilCancelled } },
    play: async (stage) => {
      await stage.called('fitTrial', 2);
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  { type: 'sweep', name: 'crash-resumed', input, crashIn: 'fitTrial' },
  { type: 'sweep', name: 'continued-as-new', input: { ...input, trials: 12 }, shortHistory: 40 },
];
