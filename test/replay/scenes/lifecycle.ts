import type { ConsiderRetrainResult } from '../../../activities/contracts-lifecycle.ts';
import { SIGNALS, UPDATES } from '../../../workflows/lifecycle-messages.ts';
import { permanent } from '../../support/scripted-activities.ts';
import { MODEL, day, type Scene, type Stage } from '../scene.ts';

const input = { model: MODEL };
const by = { actor: 'ada', reason: 'because' };
const challenger = (version: number): object => ({
  ...{ version, experimentId: `E${version}`, decisionId: `d-${version}` },
});

const order = (promotionId: string, kind: string): object => ({
  ...{ ...by, promotionId, version: 3, expectedGeneration: 2, kind },
});

/** Ticks one after the other, each looked at before the next. */
async function ticks({ handle, called }: Stage, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await handle.signal(SIGNALS.tick, { asOf: day(n) });
    await called('considerRetrain', n);
  }
}

/** Answers one after the other; the last one again and again. */
function inTurn<T>(...answers: readonly T[]): () => Promise<T> {
  let next = 0;
  return async () => answers[Math.min(next++, answers.length - 1)]!;
}

const calm: ConsiderRetrainResult = { action: 'wait', keep: false, why: ['nothing asks for it'] };
const kept: ConsiderRetrainResult = { action: 'wait', keep: true, why: ['the cooldown lasts'] };

async function orders({ handle, called }: Stage): Promise<void> {
  const update = (name: string, args: object, updateId: string): Promise<unknown> =>
    handle.executeUpdate(name, { args: [args], updateId });
  const refused = (name: string, args: object, updateId: string): Promise<void> =>
    update(name, args, updateId).then(
      () => Promise.reject(new Error(`${name} was not refused`)),
      () => undefined,
    );
  await update(UPDATES.freeze, { ...by, requestKey: 'u1' }, 'u1');
  await update(UPDATES.unfreeze, { ...by, requestKey: 'u2' }, 'u2');
  await update(UPDATES.promote, order('P1', 'promote'), 'u3');
  await refused(UPDATES.rollback, order('P2', 'rollback'), 'u4');
  await called('dispatchAlerts');
  await handle.signal(SIGNALS.challenger, challenger(7));
  await called('judgeTrial');
  await update(UPDATES.approve, by, 'u5');
  await refused(UPDATES.reject, by, 'u6');
  await refused(UPDATES.reject, { ...by, reason: ' ' }, 'u7');
}

export const LIFECYCLE_SCENES: readonly Scene[] = [
  {
    ...{ type: 'lifecycle', name: 'calm', input, endless: true },
    play: (stage) => ticks(stage, 1, 3),
  },
  {
    ...{ type: 'lifecycle', name: 'continued-as-new', input, shortHistory: 40, endless: true },
    play: async (stage) => {
      await stage.handle.signal(SIGNALS.challenger, challenger(8));
      await stage.called('openTrial');
      await ticks(stage, 1, 12);
    },
    script: { override: { openTrial: async () => ({ status: 'busy', reason: 'one runs' }) } },
  },
  {
    ...{ type: 'lifecycle', name: 'carried', endless: true },
    input: {
      ...input,
      carried: {
        ...{ asOf: day(0), reasons: ['loss'], reportId: 'report-1', news: true },
        challenger: challenger(8),
      },
    },
    play: (stage) => stage.called('judgeTrial'),
  },
  {
    ...{ type: 'lifecycle', name: 'drift-to-retrain', input, endless: true },
    script: {
      override: {
        considerRetrain: inTurn<ConsiderRetrainResult>(
          kept,
          { action: 'retrain', experimentId: 'E1', retrainId: 'retrain-1' },
          calm,
        ),
      },
    },
    play: async ({ handle, called }) => {
      const drift = (reasons: readonly string[], n: number): object => ({
        ...{ asOf: day(n), reasons, reportId: `report-${n}` },
      });
      await handle.signal(SIGNALS.drift, drift(['input-twice'], 1));
      await called('considerRetrain');
      await handle.signal(SIGNALS.drift, drift(['loss'], 2));
      await called('announceTick');
    },
  },
  {
    ...{ type: 'lifecycle', name: 'challenger-waits', input, endless: true },
    script: {
      override: {
        openTrial: inTurn(
          { status: 'running', trialId: 'trial-7' } as const,
          { status: 'busy', reason: 'another trial of the model runs' } as const,
          { status: 'refused', reason: 'the champion changed' } as const,
        ),
      },
    },
    play: async ({ handle, called }) => {
      await handle.signal(SIGNALS.challenger, challenger(7));
      await called('judgeTrial');
      await handle.signal(SIGNALS.challenger, challenger(8));
      await called('openTrial', 2);
      await handle.signal(SIGNALS.tick, { asOf: day(1) });
      await called('considerRetrain');
    },
  },
  {
    ...{ type: 'lifecycle', name: 'orders', input, endless: true, play: orders },
    script: {
      switched: { status: 'promoted', generation: 3, watched: true },
      override: {
        awaitReplicas: () =>
          new Promise((ready) => setTimeout(() => ready({ status: 'ready' }), 1500)),
        recordJudgement: async ({ decision }) => {
          if (decision === 'reject') throw permanent('trial.judged', 'it was approved already');
          return { trialId: 'trial-1', version: 7 };
        },
      },
    },
  },
  {
    ...{ type: 'lifecycle', name: 'lost-children', input, endless: true },
    script: {
      override: {
        considerRetrain: inTurn<ConsiderRetrainResult>(
          { ...kept, running: { asOf: day(0), experimentId: 'E2', retrainId: 'retrain-2' } },
          calm,
        ),
      },
    },
    play: async ({ handle, called }) => {
      await handle.executeUpdate(UPDATES.approve, { args: [by], updateId: 'u1' });
      await called('judgeTrial');
      await handle.signal(SIGNALS.tick, { asOf: day(1) });
      await called('finishRetrain');
    },
  },
  {
    ...{ type: 'lifecycle', name: 'look-failed', input, endless: true },
    script: {
      override: {
        considerRetrain: async ({ asOf }) => {
          if (asOf === day(1)) throw permanent('retrain.evaluation', 'no evaluation');
          return calm;
        },
      },
    },
    play: (stage) => ticks(stage, 1, 2),
  },
  {
    ...{ type: 'lifecycle', name: 'crash-resumed', input, endless: true },
    script: { override: { considerRetrain: async () => kept } },
    play: async (stage) => {
      await ticks(stage, 1, 1);
      await stage.changeWorkers();
      await ticks(stage, 2, 2);
      await stage.changeWorkers();
      await stage.handle.executeUpdate(UPDATES.freeze, {
        args: [{ ...by, requestKey: 'u1' }],
        updateId: 'u1',
      });
      await stage.called('considerRetrain', 3);
    },
  },
];
