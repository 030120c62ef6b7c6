import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { RatchetError } from '../core/errors.ts';
import { monitorSchema } from '../core/spec/lifecycle-schema.ts';
import {
  deleteSchedules,
  ensureSchedules,
  type ScheduleChange,
  type Watch,
} from '../infra/schedules.ts';
import { currentChampion } from '../registry/champions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { getModel, getVersionOrThrow } from '../registry/models.ts';
import { LIFECYCLE, type ModelRef } from '../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../workflows/messages.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

export type WatchDeps = Pick<
  ActivityDeps,
  'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock'
>;

export interface WatchResult {
  /** By itself, on schedules. */
  readonly watched: boolean;
  readonly schedules: Readonly<Record<string, ScheduleChange>>;
}

/** Settling and monitoring that come by themselves. */
export function createScheduleActivities(deps: ActivityDeps) {
  return {
    /**
     * Makes a served model have its lifecycle, and the schedules that its champion's spec asks for; without
     * a champion it has none. Where its dataset is not known any more its schedules stay as they are: a
     * promotion does not fail for that, and doctor names it.
     */
    async ensureWatch({ model }: ModelRef): Promise<WatchResult> {
      const { client } = Context.current();
      try {
        const watch = await watchOf(deps, model);
        if (watch) await startLifecycle(client, model);
        const schedules = watch
          ? await ensureSchedules(client.schedule, watch)
          : await deleteSchedules(client.schedule, model);
        return { watched: watch?.on === true, schedules };
      } catch (error) {
        if (!(error instanceof RatchetError) || !error.permanent) throw error;
        deps.log.warn({ err: error, model }, 'how the model is to be watched is not known');
        await startLifecycle(client, model);
        return { watched: false, schedules: {} };
      }
    },
  };
}

async function startLifecycle({ workflow }: Client, model: string): Promise<void> {
  await workflow.start(LIFECYCLE, {
    workflowId: workflowIds.lifecycle(model),
    taskQueue: TASK_QUEUES.orchestration,
    args: [{ model }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
}

/** How a served model is watched, by the spec of its champion; undefined: nothing serves it. */
export async function watchOf(deps: WatchDeps, model: string): Promise<Watch | undefined> {
  const [row, champion] = await Promise.all([
    getModel(deps.db, model),
    currentChampion(deps.db, model),
  ]);
  if (!row || !champion) return undefined;
  const { experiment_id: experimentId } = await getVersionOrThrow(deps.db, model, champion.version);
  const spec = await experimentSpecOrThrow(deps.db, experimentId);
  // Specs of an earlier release say nothing of monitoring.
  const { every, schedule } = monitorSchema.prefault({}).parse(spec.monitor);
  const calendar = await calendarOfSpec(deps, spec);
  return { model, timeframe: spec.data.timeframe, calendar, every, on: schedule === 'on' };
}
