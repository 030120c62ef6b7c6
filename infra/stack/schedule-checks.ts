import { ScheduleNotFoundError, type Client, type ScheduleDescription } from '@temporalio/client';
import type { LifecycleFacts } from '../../registry/reconcile-lifecycles.ts';
import {
  deleteSchedules,
  ensureSchedules,
  isAsWanted,
  scheduleIds,
  wantedSchedules,
  type Watch,
} from '../schedules.ts';
import {
  LIFECYCLE_CHECK,
  trouble,
  type LifecycleParts,
  type LifecycleTrouble,
  type Repair,
} from './lifecycle-trouble.ts';

/** Schedules that are missing, differ from what the champion's spec asks for, are paused, or are too many. */
export async function wrongSchedules(
  parts: LifecycleParts,
  { served }: Pick<LifecycleFacts, 'served'>,
): Promise<LifecycleTrouble[]> {
  const { client } = parts;
  const found: LifecycleTrouble[] = [];
  const watched = new Set<string>();
  for (const { model, fresh } of served) {
    const watch = await parts.watchOf(model).catch((error: unknown) => {
      found.push(unknownWatch(model, error));
      // Whatever it has stays: nobody knows what it should have.
      watched.add(model);
      return undefined;
    });
    if (watch?.on !== true) continue;
    watched.add(model);
    if (!fresh) found.push(...(await schedulesOf(client, watch)));
  }
  return [...found, ...(await extraSchedules(parts, watched))];
}

const unknownWatch = (model: string, error: unknown): LifecycleTrouble => ({
  check: LIFECYCLE_CHECK,
  verdict: 'warning',
  detail: `how ${model} is to be watched is not known: ${error instanceof Error ? error.message : String(error)}`,
  fix: 'name its dataset in ratchet.config.yaml again, or promote a version of another one',
});

async function schedulesOf(client: Client, watch: Watch): Promise<LifecycleTrouble[]> {
  const { model } = watch;
  const found: LifecycleTrouble[] = [];
  const mend: Repair = async () => {
    await ensureSchedules(client.schedule, watch);
    return `mended the schedules of ${model}`;
  };
  for (const wanted of wantedSchedules(watch)) {
    const there = await describeSchedule(client, wanted.scheduleId);
    if (!there) found.push(trouble(`the schedule ${wanted.scheduleId} is missing`, mend));
    else if (!isAsWanted(there, wanted)) {
      found.push(
        trouble(`the schedule ${wanted.scheduleId} is not what the champion's spec asks for`, mend),
      );
    } else if (there.state.paused) {
      const detail = `the schedule ${wanted.scheduleId} is paused: ${there.state.note ?? 'no reason given'}`;
      const fix = `temporal schedule toggle --unpause --schedule-id ${wanted.scheduleId}`;
      found.push({ check: LIFECYCLE_CHECK, verdict: 'warning', detail, fix });
    }
  }
  return found;
}

async function describeSchedule(
  client: Client,
  id: string,
): Promise<ScheduleDescription | undefined> {
  try {
    return await client.schedule.getHandle(id).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** Schedules of ours whose model is not watched. */
async function extraSchedules(
  { client }: LifecycleParts,
  watched: ReadonlySet<string>,
): Promise<LifecycleTrouble[]> {
  const extra = new Map<string, string[]>();
  for await (const { scheduleId } of client.schedule.list()) {
    const model = scheduleId.slice(scheduleId.indexOf('/') + 1);
    if (!scheduleIds(model).includes(scheduleId) || watched.has(model)) continue;
    // The list lags behind: one that was deleted a moment ago is none.
    if (!(await describeSchedule(client, scheduleId))) continue;
    extra.set(model, [...(extra.get(model) ?? []), scheduleId]);
  }
  return [...extra].map(([model, ids]) =>
    trouble(`${ids.sort().join(' and ')}: a schedule of a model that is not watched`, async () => {
      await deleteSchedules(client.schedule, model);
      return `deleted the schedules of ${model}`;
    }),
  );
}
