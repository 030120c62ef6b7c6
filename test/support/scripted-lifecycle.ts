import type { Activities } from '../../activities/index.ts';

type LifecycleActivity =
  | 'alertTargets'
  | 'announceTick'
  | 'awaitExperiment'
  | 'closeTrial'
  | 'considerRetrain'
  | 'deliverAlert'
  | 'dispatchAlerts'
  | 'ensureWatch'
  | 'finishRetrain'
  | 'judgeTrial'
  | 'monitor'
  | 'openTrial'
  | 'proposeChallenger'
  | 'recordJudgement'
  | 'setFrozen'
  | 'settle'
  | 'signalDrift'
  | 'topUpBars'
  | 'trialStanding';

/** A calm life: nothing drifts, nothing is on trial, nobody is to be told. */
export function calmLife(): Pick<Activities, LifecycleActivity> {
  return {
    alertTargets: async () => ({ webhooks: [] }),
    announceTick: async () => undefined,
    awaitExperiment: async () => ({ status: 'completed', message: 'Better than naive.' }),
    closeTrial: async () => undefined,
    considerRetrain: async () => ({ action: 'wait', keep: false, why: ['nothing asks for it'] }),
    deliverAlert: async () => undefined,
    dispatchAlerts: async () => undefined,
    ensureWatch: async () => ({ watched: false, schedules: {} }),
    finishRetrain: async () => undefined,
    judgeTrial: async () => ({ decision: 'continue' }),
    monitor: async () => ({ reportId: 'report-1', verdict: 'none', signals: [], words: [] }),
    openTrial: async ({ decisionId }) => ({ status: 'running', trialId: `trial-of-${decisionId}` }),
    proposeChallenger: async () => undefined,
    recordJudgement: async () => ({ trialId: 'trial-1', version: 7 }),
    setFrozen: async () => ({ changed: true }),
    settle: async () => ({ settled: 0, revised: 0, waiting: 0, unknown: 0 }),
    signalDrift: async () => undefined,
    topUpBars: async () => ({ newestBar: null, newRows: 0 }),
    trialStanding: async () => ({
      status: 'running',
      asOf: '2024-01-01T00:00:00.000Z',
      approveWithinMs: null,
    }),
  };
}
