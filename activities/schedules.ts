import { Context } from '@temporalio/activity';
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
import type { ModelRef } from '../workflows/lifecycle-messages.ts';
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
    /** Makes the schedules of a model be those of its champion's spec; without a champion it has none. */
    async ensureWatch({ model }: ModelRef): Promise<WatchResult> {
      const { schedule } = Context.current().client;
      const watch = await watchOf(deps, model);
      const schedules = watch
        ? await ensureSchedules(schedule, watch)
        : await deleteSchedules(schedule, model);
      return { watched: watch?.on === true, schedules };
    },
  };
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
