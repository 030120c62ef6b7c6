import {
  Client,
  Connection,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowClient,
} from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { TASK_QUEUES, workflowIds } from '../workflows/messages.ts';
import { temporalAway } from './errors.ts';
import { openLifecycleOrders } from './orchestrator-lifecycle.ts';
import type { Orchestrator, TemporalAddress, WorkflowState } from './orchestrator.ts';

/** A caller hears of an unreachable Temporal within 2 s: one call may take this long. */
const CALL_MS = 1_500;

/** Connects when first needed, and again by itself after an outage. */
export function connectOrchestrator(options: TemporalAddress): Orchestrator {
  const connection = Connection.lazy({ address: options.address, connectTimeout: CALL_MS });
  const client = new Client({ connection, namespace: options.namespace });
  const { workflow } = client;
  const call: Call = (work) => callInTime(connection, work);
  const start: Start = (type, startOptions) => startOnce(call, workflow, type, startOptions);
  /** What runs once in its life: its id names one workflow for good. */
  const once = (type: string, workflowId: string, input: object): Promise<boolean> =>
    start(type, { workflowId, args: [input], workflowIdReusePolicy: 'REJECT_DUPLICATE' });
  const cancel = async (workflowId: string): Promise<boolean> => {
    const answer = await orNotFound(() => call(() => workflow.getHandle(workflowId).cancel()));
    return answer !== undefined;
  };
  const stateOf = async (workflowId: string): Promise<WorkflowState> => {
    const found = await orNotFound(() => call(() => workflow.getHandle(workflowId).describe()));
    if (found === undefined) return 'unknown';
    return found.status.name === 'RUNNING' ? 'running' : 'ended';
  };

  return {
    async ping() {
      await call(() => connection.workflowService.getSystemInfo({}));
    },
    startExperiment: (experimentId) =>
      once('experiment', workflowIds.experiment(experimentId), { experimentId }),
    startAlert: (alertId) => once('alert', workflowIds.alert(alertId), { alertId }),
    cancelExperiment: (id) => cancel(workflowIds.experiment(id)),
    experimentState: (id) => stateOf(workflowIds.experiment(id)),
    startEvaluation: (evaluationId) =>
      once('evaluation', workflowIds.evaluation(evaluationId), { evaluationId }),
    evaluationState: (id) => stateOf(workflowIds.evaluation(id)),
    startParity: (model, reportId) =>
      once('parity', workflowIds.parityRun(reportId), { model, reportId }),
    parityState: ({ id, model, slot }) =>
      stateOf(slot === null ? workflowIds.parityRun(id) : workflowIds.paritySlot(model, slot)),
    cancelEvaluation: (id) => cancel(workflowIds.evaluation(id)),
    startBacktest: (backtestId) =>
      once('backtest', workflowIds.backtest(backtestId), { backtestId }),
    backtestState: (id) => stateOf(workflowIds.backtest(id)),
    cancelBacktest: (id) => cancel(workflowIds.backtest(id)),
    startBatchPrediction: (batchPredictionId) =>
      once('predictBatch', workflowIds.predictBatch(batchPredictionId), { batchPredictionId }),
    batchPredictionState: (id) => stateOf(workflowIds.predictBatch(id)),
    cancelBatchPrediction: (id) => cancel(workflowIds.predictBatch(id)),
    ...openLifecycleOrders({ connection, client, call, start }),
    close: () => connection.close(),
  };
}

/** One call to Temporal; one that takes too long, or finds nobody, throws `temporal.unavailable`. */
export type Call = <T>(work: () => Promise<T>) => Promise<T>;
/** Starts a workflow on our queue; false when one with this id runs (or, by its policy, ever ran). */
export type Start = (type: string, options: StartOnce) => Promise<boolean>;

interface StartOnce {
  readonly workflowId: string;
  readonly args: [object];
  readonly workflowIdReusePolicy: 'REJECT_DUPLICATE' | 'ALLOW_DUPLICATE';
}

async function callInTime<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    return await connection.withDeadline(Date.now() + CALL_MS, work);
  } catch (error) {
    if (isAway(error)) throw temporalAway(error);
    throw error;
  }
}

async function startOnce(
  call: Call,
  client: WorkflowClient,
  type: string,
  options: StartOnce,
): Promise<boolean> {
  try {
    await call(() =>
      client.start(type, {
        ...options,
        taskQueue: TASK_QUEUES.orchestration,
        workflowIdConflictPolicy: 'FAIL',
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

async function orNotFound<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
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
