import type { AnsweredPart } from '../../../activities/contracts-batch-prediction.ts';
import { failingFirst, permanent, type Script } from '../../support/scripted-activities.ts';
import { ended, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const type = 'predictBatch';
const input = { batchPredictionId: '01JBATCH000000000000000000' };
const answers = { uri: 'cas/00', sha256: '00', bytes: 1, rows: 10 };
const answered: AnsweredPart = { part: 0, answers, cached: false };
const planned = (parts: number): Script['override'] => ({
  planBatchPrediction: async () => ({ parts }),
});

export const PREDICT_BATCH_SCENES: readonly Scene[] = [
  { type, name: 'ok', input },
  { ...{ type, name: 'many-parts', input }, script: { override: { ...planned(11) } } },
  {
    ...{ type, name: 'retried', input },
    script: {
      override: { answerPart: failingFirst(2, new Error('connection refused'), answered) },
    },
  },
  {
    ...{ type, name: 'failed', input },
    script: {
      override: {
        ...planned(9),
        answerPart: async () => {
          throw permanent('version.unknown', 'there is no such version');
        },
      },
    },
    play: ended,
  },
  {
    ...{ type, name: 'cancelled', input },
    script: { override: { answerPart: untilCancelled } },
    play: async (stage) => {
      await stage.called('answerPart', 2);
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  {
    ...{ type, name: 'crash-resumed', input, crashIn: 'answerPart' },
    script: { override: { ...planned(2) } },
  },
  {
    ...{ type, name: 'continued-as-new', input, shortHistory: 30 },
    script: { override: { ...planned(12) } },
  },
];
