/** Trials of the API fixture's model, opened and ended as the lifecycle does, and what replicas recorded of them. */
import { modelGeneration } from '../../registry/champions.ts';
import {
  listPredictions,
  type Prediction,
  type PredictionRole,
} from '../../registry/predictions.ts';
import { endTrial, openTrial, recordTrialLook } from '../../registry/trials.ts';
import { eventually, NOW, type ApiFixture, type TestReplica } from './api-fixture.ts';
import { MODEL } from './registry-facts.ts';

export interface TrialScene {
  /** Opens a trial and waits until the replica has its challenger, or knows why not. */
  start(kind: 'shadow' | 'canary', version: number, share?: number): Promise<string>;
  setShare(trialId: string, share: number): Promise<void>;
  /** Ends it, and has the replica look once. */
  end(trialId: string): Promise<void>;
  /** All that was recorded with a role, oldest first, once nothing waits any more. */
  rows(role: PredictionRole): Promise<Prediction[]>;
}

export function trialScene(fixture: ApiFixture, replica: TestReplica): TrialScene {
  const { db } = fixture;
  let n = 0;
  const settings = { policy: 'beats-champion' };
  const look = { progress: null, reasons: [], asOf: new Date(NOW) };
  return {
    async start(kind, version, share = 0) {
      const id = `trial-${++n}`;
      const generation = await modelGeneration(db, MODEL);
      const opened = await openTrial(db, {
        ...{ id, model: MODEL, version, championVersion: 1, generation, kind, share, settings },
        ...{ policy: 'beats-champion', mode: 'prove', startedAsOf: new Date(NOW) },
        ...{ gateDecisionId: 'decision', experimentId: 'experiment', words: 'A trial begins.' },
      });
      if (opened?.id !== id) throw new Error('another trial runs');
      await replica.replica.poll();
      await eventually(`the challenger of ${id}`, () => {
        const active = replica.host.active(MODEL);
        return active !== undefined && replica.trials.of(active) !== undefined;
      });
      return id;
    },
    async setShare(trialId, share) {
      await recordTrialLook(db, { ...look, trialId, share });
      await replica.replica.poll();
    },
    async end(trialId) {
      const end = { reasons: ['test'], actor: 'test', words: 'A trial ends.', asOf: new Date(NOW) };
      await endTrial(db, { trialId, status: 'undecided', ...end });
      await replica.replica.poll();
    },
    async rows(role) {
      await replica.shadows.settled();
      await replica.recorder.drain();
      return (await listPredictions(db, { model: MODEL, role, limit: 100_000 })).reverse();
    },
  };
}
