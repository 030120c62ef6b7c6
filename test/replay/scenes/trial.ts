import type { JudgeTrialResult } from '../../../activities/contracts-lifecycle.ts';
import type { Activities } from '../../../activities/index.ts';
import { SIGNALS } from '../../../workflows/lifecycle-messages.ts';
import { failingFirst } from '../../support/scripted-activities.ts';
import { MODEL, day, ended, type Scene, type Stage } from '../scene.ts';

const input = { model: MODEL, trialId: 'trial-7', asOf: null };
const accepted: JudgeTrialResult = {
  ...{ decision: 'accept', promotionId: 'decision-7', version: 7, expectedGeneration: 4 },
  reasons: ['proved better'],
};
const goesOn: JudgeTrialResult = { decision: 'continue' };

/** The end comes with the tick of this day. */
const endsOn = (n: number, end: JudgeTrialResult): Partial<Activities> => ({
  judgeTrial: async ({ asOf }) => (asOf >= day(n) ? end : goesOn),
});

async function ticks({ handle, called }: Stage, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await called('judgeTrial', n);
    await handle.signal(SIGNALS.tick, { asOf: day(n) });
  }
}

const ticksToEnd =
  (to: number) =>
  async (stage: Stage): Promise<void> => {
    await ticks(stage, 1, to);
    await ended(stage);
  };

const waitsFor = (approveWithinMs: number): Partial<Activities> => ({
  trialStanding: async () => ({ status: 'running', asOf: day(0), approveWithinMs }),
});

function judged(decision: JudgeTrialResult): Partial<Activities> {
  let known = false;
  return {
    ...waitsFor(3_600_000),
    judgeTrial: async () => {
      const look = known ? decision : goesOn;
      known = true;
      return look;
    },
  };
}

const hearsAPerson = async (stage: Stage): Promise<void> => {
  await stage.called('judgeTrial');
  await stage.handle.signal(SIGNALS.judgement);
  await ended(stage);
};

export const TRIAL_SCENES: readonly Scene[] = [
  {
    ...{ type: 'trial', name: 'promoted', input, play: ticksToEnd(3) },
    script: { override: endsOn(3, accepted) },
  },
  {
    ...{ type: 'trial', name: 'undecided', input, play: ticksToEnd(2) },
    script: { override: endsOn(2, { decision: 'undecided', reasons: ['60 days are over'] }) },
  },
  {
    ...{ type: 'trial', name: 'aborted', input, play: ticksToEnd(1) },
    script: { override: endsOn(1, { decision: 'abort', reasons: ['5 % of its answers failed'] }) },
  },
  {
    ...{ type: 'trial', name: 'accepted-not-promoted', input },
    script: {
      replicas: { status: 'failed', reason: 'replica a: the digest differs' },
      override: endsOn(0, accepted),
    },
  },
  {
    ...{ type: 'trial', name: 'approved', input, play: hearsAPerson },
    script: { override: judged(accepted) },
  },
  {
    ...{ type: 'trial', name: 'rejected', input, play: hearsAPerson },
    script: { override: judged({ decision: 'reject', reasons: ['Rejected by ada: no'] }) },
  },
  { ...{ type: 'trial', name: 'expired', input }, script: { override: waitsFor(1_000) } },
  {
    ...{ type: 'trial', name: 'ended-already', input },
    script: {
      override: {
        trialStanding: async () => ({ status: 'ended', reasons: ['it ended promoted already'] }),
      },
    },
  },
  {
    ...{ type: 'trial', name: 'retried', input },
    script: {
      override: { judgeTrial: failingFirst(2, new Error('connection refused'), accepted) },
    },
  },
  {
    ...{ type: 'trial', name: 'crash-resumed', input },
    script: { override: endsOn(3, accepted) },
    play: async (stage) => {
      await ticks(stage, 1, 1);
      await stage.called('judgeTrial', 2);
      await stage.changeWorkers();
      await ticks(stage, 2, 3);
      await ended(stage);
    },
  },
  {
    ...{ type: 'trial', name: 'continued-as-new', input, shortHistory: 30, play: ticksToEnd(8) },
    script: { override: endsOn(8, accepted) },
  },
];
