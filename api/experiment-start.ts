import type { Log } from '../activities/deps.ts';
import { expandUnits, specHash, type ExperimentSpec } from '../core/spec/index.ts';
import {
  createExperiment,
  getExperimentOrThrow,
  type Experiment,
} from '../registry/experiments.ts';
import type { Db } from '../registry/in-transaction.ts';
import { workflowIds } from '../workflows/messages.ts';
import type { Orchestrator } from './orchestrator.ts';
import { startRecorded } from './recorded-start.ts';

export interface NewRun {
  readonly spec: ExperimentSpec;
  readonly actor: string;
  readonly requestId: string;
  readonly idempotencyKey: string | undefined;
  readonly route: string;
  /** What the caller sent; the same key with another body is refused. */
  readonly body: unknown;
}

/** Names of the models that a spec makes. */
export const modelsOf = (spec: ExperimentSpec): string[] =>
  expandUnits(spec).map((unit) => unit.model);

/** Records an experiment and starts its workflow, as `startRecorded` says. */
export async function startRun(
  parts: { readonly db: Db; readonly orchestrator: Orchestrator; readonly log: Log },
  { spec, actor, requestId, ...request }: NewRun,
): Promise<Experiment> {
  const id = await startRecorded(parts, {
    ...request,
    insert: async (trx, experimentId) => {
      await createExperiment(trx, {
        id: experimentId,
        name: spec.name,
        model: spec.model,
        spec,
        specHash: specHash(spec),
        workflowId: workflowIds.experiment(experimentId),
        actor,
        requestId,
      });
      return experimentId;
    },
    isQueued: async (experimentId) =>
      (await getExperimentOrThrow(parts.db, experimentId)).status === 'queued',
    start: (experimentId) => parts.orchestrator.startExperiment(experimentId),
  });
  return getExperimentOrThrow(parts.db, id);
}
