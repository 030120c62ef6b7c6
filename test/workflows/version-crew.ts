import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  NativeConnection,
  type Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { Activities } from '../../activities/index.ts';
import { workflowBundle } from '../support/temporal.ts';
import { bundleOf } from '../support/time-skipping.ts';
import { activityWorkers, orchestrationWorker, running } from '../support/workflow-workers.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/workflows-${name}/index.ts`, import.meta.url));

/** Releases of the workflows: the one before lifecycles, today's, and one that adds a patched step. */
export type Release = 'former' | 'today' | 'next';

const BUNDLES: Readonly<Record<Release, () => Promise<WorkflowBundleWithSourceMap>>> = {
  former: () => bundleOf(fixture('former')),
  today: workflowBundle,
  next: () => bundleOf(fixture('next')),
};

type End = () => Promise<void>;

export interface Crews {
  /** One orchestration worker of each release, all on one queue; the function that comes back ends them. */
  workflows(releases: readonly Release[]): Promise<End>;
  activities(activities: Activities): Promise<End>;
  /** Ends all that still run. */
  end(): Promise<void>;
}

export function openCrews({ address, nativeConnection }: TestWorkflowEnvironment): Crews {
  const open = new Set<End>();
  const begin = (
    workers: readonly Worker[],
    connections: readonly NativeConnection[] = [],
  ): End => {
    const stop = running(workers);
    const end = async (): Promise<void> => {
      if (!open.delete(end)) return;
      await stop();
      for (const connection of connections) await connection.close();
    };
    open.add(end);
    return end;
  };
  const workflows = async (releases: readonly Release[]): Promise<End> => {
    const workers: Worker[] = [];
    const connections: NativeConnection[] = [];
    for (const release of releases) {
      // One connection takes one worker of a queue.
      const connection = await NativeConnection.connect({ address });
      const worker = await orchestrationWorker(connection, {
        workflowBundle: await BUNDLES[release](),
        identity: release,
        // Nothing is kept in memory: whichever worker is free replays each task from the start.
        maxCachedWorkflows: 0,
      });
      connections.push(connection);
      workers.push(worker);
    }
    return begin(workers, connections);
  };
  return {
    workflows,
    activities: async (activities) => begin(await activityWorkers(nativeConnection, activities)),
    end: async () => {
      await Promise.all([...open].map((end) => end()));
    },
  };
}

/** Workflow tasks of one run: who completed any, and who failed one with which cause. */
export interface Tasks {
  readonly completedBy: ReadonlySet<string>;
  readonly failures: readonly { readonly by: string; readonly cause: number }[];
}

/** Causes by their number in Temporal's API (enums/v1/failed_cause.proto). */
export const UNKNOWN_TYPE = 14; // WORKFLOW_WORKER_UNHANDLED_FAILURE
export const NONDETERMINISM = 24; // NON_DETERMINISTIC_ERROR
/** News came while the task ran (UNHANDLED_COMMAND), and the server asks for it once more: no failure. */
const ASKED_AGAIN = 1;

/** Of a run's history, which records the first failure of every task. */
export async function tasksOf(handle: WorkflowHandle): Promise<Tasks> {
  const { events } = await handle.fetchHistory();
  const completed = (events ?? []).map((event) => event.workflowTaskCompletedEventAttributes);
  const failed = (events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes ?? []);
  return {
    completedBy: new Set(completed.flatMap((task) => task?.identity ?? [])),
    failures: failed
      .map((task) => ({ by: task.identity ?? '', cause: task.cause ?? 0 }))
      .filter(({ cause }) => cause !== ASKED_AGAIN),
  };
}
