import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities/index.ts';
import type { Script } from '../support/scripted-activities.ts';

/** What a scene does from outside while its workflow runs. */
export interface Stage {
  readonly env: TestWorkflowEnvironment;
  readonly handle: WorkflowHandle;
  /** Waits until the activity was called `times` times in this scene. */
  called(activity: keyof Activities, times?: number): Promise<void>;
  /** Shuts every worker down, and lets others go on that have nothing in memory. */
  changeWorkers(): Promise<void>;
}

/** One recorded run: `<type>-<name>.json`. */
export interface Scene {
  readonly type: string;
  readonly name: string;
  readonly input: object;
  readonly script?: Script;
  /** What is there before it starts. */
  readonly prepare?: (env: TestWorkflowEnvironment) => Promise<unknown>;
  /** Default: nothing happens from outside, and the end is awaited. */
  readonly play?: (stage: Stage) => Promise<void>;
  /** Before it goes on, a worker process is killed in this activity, or `workflows`: shut down after the first task. */
  readonly crashIn?: keyof Activities | 'workflows';
  /** Events after which the server suggests to continue as new; the first run of the scene is kept. */
  readonly shortHistory?: number;
  /** The workflow lives on: the scene ends after `play`. */
  readonly endless?: boolean;
  /** Started by the server at this time of a Schedule, not by a client. */
  readonly scheduledAt?: string;
}

/** Days of market time, ISO. */
export const day = (n: number): string => new Date(Date.UTC(2024, 0, 1 + n)).toISOString();

export const MODEL = 'index-gspc';
export const ended = async ({ handle }: Stage): Promise<void> => {
  await handle.result().catch(() => undefined);
};
