import type { PlannedFold } from '../../../activities/contracts-backtest.ts';
import { failingFirst, permanent, type Script } from '../../support/scripted-activities.ts';
import { ended, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const input = { backtestId: '01JBACKTEST00000000000000' };
const fold = (n: number, experimentId?: string): PlannedFold => ({
  fold: n,
  from: `201${n}-01-01T00:00:00.000Z`,
  to: `201${n}-12-31T00:00:00.000Z`,
  ...(experimentId !== undefined && { experimentId }),
});
const planned = (...folds: readonly PlannedFold[]): Script['override'] => ({
  planBacktest: async () => ({ folds }),
});
/** As planned since trainings are opened in their turn; those of a scene are its own. */
const inTurn = (scene: string): Script['override'] => ({
  ...planned(
    ...[0, 1, 2, 3, 4, 5].map((n) => ({
      ...fold(n),
      training: { trainTo: `${2009 + n}-12-31`, asOf: `201${n}-01-01T21:00:00.000Z` },
    })),
  ),
  openFold: async (input) => ({ experimentId: `01J${scene}${input.fold.fold}` }),
});
/** As the release before planned it. */
const trained = planned(fold(0, '01JFOLD0'), fold(1, '01JFOLD1'), fold(2, '01JFOLD2'));

export const BACKTEST_SCENES: readonly Scene[] = [
  { type: 'backtest', name: 'no-model', input },
  {
    ...{ type: 'backtest', name: 'registered-model', input },
    script: { override: { ...planned(fold(0)) } },
  },
  { ...{ type: 'backtest', name: 'walk-forward', input }, script: { override: { ...trained } } },
  {
    ...{ type: 'backtest', name: 'advised', input },
    script: {
      override: { planBacktest: async () => ({ folds: [fold(0)], advised: true as const }) },
    },
  },
  {
    ...{ type: 'backtest', name: 'a-fold-fails', input },
    script: {
      override: {
        ...trained,
        openExperiment: async () => {
          throw permanent('spec.invalid', 'too few rows');
        },
      },
    },
  },
  {
    ...{ type: 'backtest', name: 'retried', input },
    script: {
      override: {
        ...planned(fold(0)),
        answerFold: failingFirst(2, new Error('connection refused'), { fold: 0, answers: [] }),
      },
    },
  },
  {
    ...{ type: 'backtest', name: 'failed', input },
    script: {
      override: {
        simulateBacktest: async () => {
          throw permanent('backtest.noBars', 'there are no bars');
        },
      },
    },
    play: ended,
  },
  {
    ...{ type: 'backtest', name: 'cancelled', input },
    script: { override: { ...planned(fold(0)), answerFold: untilCancelled } },
    play: async (stage) => {
      await stage.called('answerFold');
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  {
    ...{ type: 'backtest', name: 'crash-resumed', input, crashIn: 'workflows' },
    script: { override: { ...trained } },
  },
  {
    ...{ type: 'backtest', name: 'trained-in-turn', input },
    script: { override: { ...inTurn('TURN') } },
  },
  {
    ...{ type: 'backtest', name: 'training-stopped', input },
    script: { override: { ...inTurn('STOP'), fit: untilCancelled } },
    play: async (stage) => {
      await stage.called('fit', 4);
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  {
    ...{ type: 'backtest', name: 'training-left-to-others', input },
    script: {
      override: {
        ...inTurn('LEFT'),
        fit: untilCancelled,
        leaveFold: async () => ({ unwanted: false }),
      },
    },
    play: async (stage) => {
      await stage.called('fit', 4);
      await stage.handle.cancel();
      await ended(stage);
    },
  },
];
