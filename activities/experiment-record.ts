import { expandUnits } from '../core/spec/index.ts';
import { endExperiment, experimentSpecOrThrow, startExperiment } from '../registry/experiments.ts';
import { ensureModel } from '../registry/models.ts';
import { failureKey } from '../registry/training-history.ts';
import type { ExperimentRef, FailedUnitInput, FinishInput, OpenedExperiment } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { searchPlanOf } from './search.ts';

/** First and last step of an experiment. Both may run twice: rows decide, not the call. */
export function createExperimentRecordActivities(deps: Pick<ActivityDeps, 'db' | 'events'>) {
  return {
    /** Marks the experiment as running and says what it trains; its models exist afterwards. */
    async openExperiment({ experimentId }: ExperimentRef): Promise<OpenedExperiment> {
      const experiment = await startExperiment(deps.db, experimentId);
      const spec = await experimentSpecOrThrow(deps.db, experimentId);
      const units = expandUnits(spec);
      const search = searchPlanOf(spec);
      const asker = {
        actor: experiment.actor,
        requestId: experiment.request_id ?? undefined,
        workflowId: experiment.workflow_id,
      };
      for (const { model, instruments } of units) {
        const wanted = {
          name: model,
          instruments,
          timeframe: spec.data.timeframe,
          group: units.length > 1 ? spec.model : undefined,
        };
        await ensureModel(deps.db, wanted, asker);
      }
      await deps.events.append({
        experimentId,
        kind: 'stage',
        stage: 'open',
        payload: { models: units.map(({ model }) => model), seeds: spec.seeds },
        dedupeKey: 'stage/open',
      });
      return {
        experimentId,
        units,
        seeds: spec.seeds,
        family: spec.family,
        baselines: spec.baselines,
        specHash: experiment.spec_hash,
        ...(units.length > 1 && { apart: true }),
        ...(search && { search }),
      };
    },

    /** Records how the experiment ended. The first end stays. */
    async finishExperiment(input: FinishInput): Promise<void> {
      const { status, message, versions, failed = [] } = input;
      await endExperiment(deps.db, input.experimentId, {
        status,
        message,
        payload: { versions, ...(failed.length > 0 && { failed }) },
      });
    },

    /** Says of one model that it failed, while others go on. */
    async noteFailedUnit({ experimentId, model, reason }: FailedUnitInput): Promise<void> {
      await deps.events.append({
        experimentId,
        kind: 'stage',
        stage: 'failed',
        model,
        payload: { reason },
        dedupeKey: failureKey(model),
      });
    },
  };
}
