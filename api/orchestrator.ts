import { Client, Connection, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { isGrpcServiceError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { TASK_QUEUES, workflowIds, type PromoteInput } from '../workflows/messages.ts';
import { temporalAway } from './errors.ts';

/** A caller hears of an unreachable Temporal within 2 s: one call may take this long. */
const CALL_MS = 1_500;

export type WorkflowState = 'running' | 'ended' | 'unknown';

/** What the API asks of Temporal. Nothing on the predict path touches it. */
export interface Orchestrator {
  /** Throws `temporal.unavailable` when Temporal does not answer. */
  ping(): Promise<void>;
  /** Starts `experiment/<id>`; false when that workflow exists already. */
  startExperiment(experimentId: string): Promise<boolean>;
  /** Starts `promote/<model>`; false when one runs already. */
  startPromotion(input: PromoteInput): Promise<boolean>;
  /** Asks an experiment to stop; false when it does not run. */
  cancelExperiment(experimentId: string): Promise<boolean>;
  experimentState(experimentId: string): Promise<WorkflowState>;
  close(): Promise<void>;
}

/** Connects when first needed, and again by itself after an outage. */
export function openOrchestrator(options: {
  readonly address: string;
  readonly namespace: string;
}): Orchestrator {
  const connection = Connection.lazy({ address: options.address, connectTimeout: CALL_MS });
  const { workflow } = new Client({ connection, namespace: options.namespace });

  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await connection.withDeadline(Date.now() + CALL_MS, work);
    } catch (error) {
      if (isAway(error)) throw temporalAway(error);
      throw error;
    }
  };
  const start = async (
    type: string,
    workflowId: string,
    input: object,
    reuse: 'REJECT_DUPLICATE' | 'ALLOW_DUPLICATE',
  ): Promise<boolean> => {
    try {
      await call(() =>
        workflow.start(type, {
          workflowId,
          taskQueue: TASK_QUEUES.orchestration,
          args: [input],
          workflowIdReusePolicy: reuse,
          workflowIdConflictPolicy: 'FAIL',
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  };

  return {
    async ping() {
      await call(() => connection.workflowService.getSystemInfo({}));
    },
    // An experiment runs once in its life: its id names one workflow for good.
    startExperiment: (experimentId) =>
      start(
        'experiment',
        workflowIds.experiment(experimentId),
        { experimentId },
        'REJECT_DUPLICATE',
      ),
    // One promotion at a time per model; after it has ended the next may start.
    startPromotion: (input) =>
      start('promote', workflowIds.promote(input.model), input, 'ALLOW_DUPLICATE'),
    async cancelExperiment(experimentId) {
      const handle = workflow.getHandle(workflowIds.experiment(experimentId));
      try {
        await call(() => handle.cancel());
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    async experimentState(experimentId) {
      const handle = workflow.getHandle(workflowIds.experiment(experimentId));
      try {
        const { status } = await call(() => handle.describe());
        return status.name === 'RUNNING' ? 'running' : 'ended';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'unknown';
        throw error;
      }
    },
    close: () => connection.close(),
  };
}

/** gRPC: 4 DEADLINE_EXCEEDED, 14 UNAVAILABLE, 1 CANCELLED (by our own deadline). */
const AWAY_CODES = new Set([1, 4, 14]);

function isAway(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (isGrpcServiceError(e)) return AWAY_CODES.has(e.code);
    if (/Failed to connect before the deadline/i.test(e.message)) return true;
  }
  return false;
}
