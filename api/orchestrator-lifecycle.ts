import {
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  type Client,
  type Connection,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { RatchetError } from '../core/errors.ts';
import { deleteSchedules } from '../infra/schedules.ts';
import {
  LIFECYCLE,
  type Asked,
  type AskedOfTrial,
  type FreezeRequest,
  type PromoteRequest,
  type SIGNALS,
  type SlotInput,
  type UPDATES,
} from '../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../workflows/messages.ts';
import { ApiError } from './errors.ts';
import type { Call, Start } from './orchestrator-client.ts';

/** A worker takes an Update within moments; where none runs nobody should wait for long. */
const ACCEPT_MS = 8_000;
/** gRPC RESOURCE_EXHAUSTED: more Updates under way than a workflow takes. */
const TOO_MANY = 8;
/** Type of the failure of an Update whose workflow went on as a new run before it was done. */
const OUTRUN = 'AcceptedUpdateCompletedWorkflow';

export type UpdateName = (typeof UPDATES)[keyof typeof UPDATES];

/** What a person asks of a model's lifecycle. */
export interface LifecycleOrder {
  readonly model: string;
  readonly update: UpdateName;
  readonly request: Asked | AskedOfTrial | FreezeRequest | PromoteRequest;
  /** The same id again is the same order: nothing happens twice. */
  readonly updateId: string;
  /** How long to look for its outcome once it is accepted, ms. */
  readonly outcomeMs: number;
}

/** It is accepted and will be carried out; `outcome` where that has happened already. */
export interface OrderAnswer {
  readonly outcome: unknown;
}

/** What the API asks of a model's lifecycle, which is started where it is missing. */
export interface LifecycleOrders {
  /**
   * Sends an Update to `lifecycle/<model>`. What the lifecycle refuses is thrown with its own code and
   * sentence; `temporal.unavailable`, `lifecycle.unavailable` (no worker took it) and `lifecycle.busy`.
   */
  updateLifecycle(order: LifecycleOrder): Promise<OrderAnswer>;
  /** Tells the lifecycle something; it is started where it is missing. */
  signalLifecycle(
    model: string,
    signal: Exclude<(typeof SIGNALS)[keyof typeof SIGNALS], 'judgement'>,
    payload: object,
  ): Promise<void>;
  /** Settles now; false when a settlement that was asked for runs already. */
  startSettle(input: SlotInput): Promise<boolean>;
  /** Makes a drift report now; false when one that was asked for is being made already. */
  startMonitor(input: SlotInput): Promise<boolean>;
  /** Ends what runs for a model that is no more: its lifecycle, its trial, its schedules. */
  endLifecycle(model: string, reason: string): Promise<void>;
}

interface Parts {
  readonly connection: Connection;
  readonly client: Client;
  readonly call: Call;
  readonly start: Start;
}

export function openLifecycleOrders({ connection, client, call, start }: Parts): LifecycleOrders {
  const { workflow } = client;
  const slot = (type: 'settle' | 'monitor') => (input: SlotInput) =>
    start(type, {
      workflowId: workflowIds[type](input.model),
      args: [input],
      // Once it has ended the next may start.
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
  return {
    async updateLifecycle(order) {
      // Who is away is found out soon; only a worker that is slow is worth a longer wait.
      await call(() => connection.workflowService.getSystemInfo({}));
      return sendUpdate(connection, client, order);
    },
    async signalLifecycle(model, signal, payload) {
      await call(() =>
        workflow.signalWithStart(LIFECYCLE, {
          ...lifecycleOf(model),
          signal,
          signalArgs: [payload],
        }),
      );
    },
    startSettle: slot('settle'),
    startMonitor: slot('monitor'),
    async endLifecycle(model, reason) {
      // Schedules first: nothing starts anew what is ended below.
      await call(() => deleteSchedules(client.schedule, model));
      for (const id of RUNS_OF_A_MODEL.map((idOf) => idOf(model))) {
        await call(() => terminate(client, id, reason));
      }
    },
  };
}

/** What runs for as long as a model lives, children of the lifecycle included: they outlive it. */
const RUNS_OF_A_MODEL = [workflowIds.lifecycle, workflowIds.retrain, workflowIds.trial];

const lifecycleOf = (model: string) => ({
  workflowId: workflowIds.lifecycle(model),
  args: [{ model }] as [object],
  taskQueue: TASK_QUEUES.orchestration,
});

async function terminate(client: Client, workflowId: string, reason: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).terminate(reason);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

async function sendUpdate(
  connection: Connection,
  client: Client,
  order: LifecycleOrder,
): Promise<OrderAnswer> {
  const startWorkflowOperation = new WithStartWorkflowOperation(LIFECYCLE, {
    ...lifecycleOf(order.model),
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  try {
    const handle = await connection.withDeadline(Date.now() + ACCEPT_MS, () =>
      client.workflow.startUpdateWithStart(order.update, {
        args: [order.request],
        updateId: order.updateId,
        waitForStage: 'ACCEPTED',
        startWorkflowOperation,
      }),
    );
    const outcome = await connection
      .withDeadline(Date.now() + order.outcomeMs, () => handle.result())
      .catch((error: unknown) => {
        if (isTimeout(error)) return undefined;
        throw error;
      });
    return { outcome };
  } catch (error) {
    throw refusalOf(error);
  }
}

const isTimeout = (error: unknown): boolean =>
  error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error);

/** What the lifecycle refused keeps its code and its sentence. */
function refusalOf(error: unknown): unknown {
  if (isTimeout(error)) {
    return new ApiError(
      'unavailable',
      'lifecycle.unavailable',
      'No worker took the request. It may still be carried out when one runs: repeat it with the same Idempotency-Key, or look at `ratchet status`.',
      { retryAfterS: 5, cause: error },
    );
  }
  for (let e = error; e instanceof Error; e = e.cause) {
    if (isGrpcServiceError(e) && Number(e.code) === TOO_MANY) {
      return new ApiError(
        'too-many-requests',
        'lifecycle.busy',
        'The model has too many requests under way; try again shortly.',
        { retryAfterS: 2, cause: error },
      );
    }
    if (error instanceof WorkflowUpdateFailedError && e instanceof ApplicationFailure) {
      return new RatchetError(codeOf(e.type), e.message, { cause: error });
    }
  }
  return error;
}

const codeOf = (type: string | null | undefined): string =>
  type === OUTRUN ? 'lifecycle.unavailable' : (type ?? 'lifecycle.refused');
