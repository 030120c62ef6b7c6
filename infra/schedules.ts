/**
 * Temporal Schedules of a served model: `settle/<model>` after every bar, `monitor/<model>` every so many
 * sessions, `parity/<model>` every night. Times are UTC, which has no doubled and no missing hour; what runs
 * computes from the time that was meant (`TemporalScheduledStartTime`), however late it starts.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type CalendarSpec,
  type DayOfWeek,
  type IntervalSpec,
  type Range,
  type ScheduleClient,
  type ScheduleDescription,
  type ScheduleOptions,
} from '@temporalio/client';
import { TIMEFRAME_MS, type Timeframe } from '../core/bars/bars.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import type { ModelRef } from '../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../workflows/messages.ts';

const MINUTE_MS = 60_000;
const DAY_MS = TIMEFRAME_MS['1d'];
const WEEK = 7;
const DAYS: readonly DayOfWeek[] = [
  ...(['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const),
];

/** A closed bar is published some time after: vendors' daily files later than an exchange's last hour. */
const GRACE_MINUTES: Readonly<Record<Timeframe, number>> = { '1h': 5, '1d': 30 };
/** Reports read what the settlement of the same session wrote. */
const MONITOR_AFTER_MINUTES = 30;
/** A year that the calendars know, of which each weekday and both clock changes are part. */
const SAMPLE = { from: Date.UTC(2024, 0, 1), to: Date.UTC(2024, 11, 31) } as const;

/** What is to be watched, and when its bars come. */
export interface Watch extends ModelRef {
  readonly timeframe: Timeframe;
  readonly calendar: Calendar;
  /** Sessions from one drift report to the next. */
  readonly every: number;
  /** false: settled and monitored only when asked. */
  readonly on: boolean;
}

type Slots = Pick<ScheduleOptions['spec'], 'calendars' | 'intervals'>;
type Action = ScheduleOptions['action'];

/** What became of one schedule. */
export type ScheduleChange = 'created' | 'updated' | 'unchanged' | 'deleted' | 'absent';

/** Ids of a model's schedules; also those of the workflows they start, which Temporal completes by the slot. */
export const scheduleIds = (model: string): readonly string[] => [
  workflowIds.settle(model),
  workflowIds.monitor(model),
  workflowIds.parity(model),
];

/**
 * The schedules that a watched model has. Why they are as they are:
 * - overlap: settlements are cheap and each covers all before it, so one may wait (BUFFER_ONE); of reports
 *   the newest says all, so a slot that finds one running is left out (SKIP),
 * - catch-up: one slot's length. A slot missed longer ago is covered by the next one; without a window a
 *   minute's outage at the close would cost a day,
 * - a night's replay goes on from the one before it, so that one which is left out is made up for,
 * - a failure does not pause: the next slot may find its vendor again, and a paused schedule would be a model
 *   that nobody watches. Failures are told by alerts.
 */
export function wantedSchedules(watch: Watch): readonly ScheduleOptions[] {
  const { model, timeframe, calendar, every } = watch;
  const bars = timeframe === '1d' ? 'session' : 'bar';
  const sessions = every === 1 ? 'session' : `${every} sessions`;
  return [
    {
      scheduleId: workflowIds.settle(model),
      spec: closeSlots(calendar, timeframe, GRACE_MINUTES[timeframe]),
      action: startOf('settle', workflowIds.settle(model), model),
      policies: {
        overlap: 'BUFFER_ONE',
        catchupWindow: TIMEFRAME_MS[timeframe],
        pauseOnFailure: false,
      },
      state: {
        note: `Settles the predictions of ${model} after every ${bars} (${calendar.name}).`,
      },
    },
    {
      scheduleId: workflowIds.monitor(model),
      spec: sessionSlots(calendar, every, GRACE_MINUTES['1d'] + MONITOR_AFTER_MINUTES),
      action: startOf('monitor', workflowIds.monitor(model), model),
      policies: { overlap: 'SKIP', catchupWindow: DAY_MS, pauseOnFailure: false },
      state: { note: `Drift report of ${model} every ${sessions} (${calendar.name}).` },
    },
    {
      scheduleId: workflowIds.parity(model),
      spec: nightlySlot(model),
      action: startOf('parity', workflowIds.parity(model), model),
      policies: { overlap: 'SKIP', catchupWindow: DAY_MS, pauseOnFailure: false },
      state: { note: `Replays every night what was served of ${model}.` },
    },
  ];
}

/** Nights begin within an hour of 02:00 UTC, by the model's name, so that many models do not begin at once. */
const NIGHT_HOUR = 2;

function nightlySlot(model: string): Slots {
  const minute = createHash('sha256').update(model).digest().readUInt16BE(0) % 60;
  return { calendars: [{ minute: [minute], hour: [NIGHT_HOUR], dayOfWeek: [...DAYS] }] };
}

/** No `asOf`: the workflow takes the time of its slot. */
const startOf = (workflowType: string, workflowId: string, model: string): Action => ({
  type: 'startWorkflow',
  workflowType,
  workflowId,
  taskQueue: TASK_QUEUES.orchestration,
  args: [{ model } satisfies ModelRef],
});

/** Minutes of the UTC day at which bars have closed, and the weekdays on which they do. */
function closesOf(
  calendar: Calendar,
  timeframe: Timeframe,
  afterMinutes: number,
): { readonly minutes: readonly number[]; readonly days: readonly DayOfWeek[] } {
  const minutes = new Set<number>();
  const days = new Set<number>();
  for (const openTime of calendar.between(SAMPLE.from, SAMPLE.to, timeframe)) {
    const at = new Date(calendar.closeTime(openTime, timeframe) + afterMinutes * MINUTE_MS);
    minutes.add(at.getUTCHours() * 60 + at.getUTCMinutes());
    days.add(at.getUTCDay());
  }
  return { minutes: [...minutes], days: DAYS.filter((_, day) => days.has(day)) };
}

/**
 * After each bar has closed. A session has one slot: that after the latest close of a year, so that neither
 * summer time nor a shortened session makes it come too early.
 */
function closeSlots(calendar: Calendar, timeframe: Timeframe, afterMinutes: number): Slots {
  const { minutes, days } = closesOf(calendar, timeframe, afterMinutes);
  const slots = timeframe === '1d' ? [Math.max(...minutes)] : minutes;
  const byMinute = new Map<number, number[]>();
  for (const slot of slots.toSorted((a, b) => a - b)) {
    const minute = slot % 60;
    byMinute.set(minute, [...(byMinute.get(minute) ?? []), Math.floor(slot / 60)]);
  }
  const calendars: CalendarSpec[] = [...byMinute].map(([minute, hour]) => ({
    ...{ minute: [minute], hour, dayOfWeek: [...days] },
  }));
  return { calendars };
}

/**
 * Every `every` sessions. Schedules know days, not sessions: more than one are turned into days by the
 * calendar's week and rounded up (5 sessions of a five-day week are 7 days).
 */
function sessionSlots(calendar: Calendar, every: number, afterMinutes: number): Slots {
  if (every === 1) return closeSlots(calendar, '1d', afterMinutes);
  const { minutes, days } = closesOf(calendar, '1d', afterMinutes);
  const span = Math.ceil((every * WEEK) / days.length) * DAY_MS;
  const interval: IntervalSpec = { every: span, offset: Math.max(...minutes) * MINUTE_MS };
  return { intervals: [interval] };
}

/**
 * Makes a model's schedules be as they should, by creating, changing or (where `on` is false) deleting
 * them. Twice is once. A schedule that an operator paused stays paused.
 */
export async function ensureSchedules(
  client: ScheduleClient,
  watch: Watch,
): Promise<Readonly<Record<string, ScheduleChange>>> {
  if (!watch.on) return deleteSchedules(client, watch.model);
  const changes: Record<string, ScheduleChange> = {};
  for (const wanted of wantedSchedules(watch)) {
    changes[wanted.scheduleId] = await ensureOne(client, wanted);
  }
  return changes;
}

async function ensureOne(client: ScheduleClient, wanted: ScheduleOptions): Promise<ScheduleChange> {
  try {
    await client.create(wanted);
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  const handle = client.getHandle(wanted.scheduleId);
  if (isAsWanted(await handle.describe(), wanted)) return 'unchanged';
  await handle.update(({ state }) => ({
    spec: wanted.spec,
    action: wanted.action,
    policies: wanted.policies ?? {},
    // Whoever paused it wrote down why.
    state: state.paused ? { ...state } : { ...wanted.state },
  }));
  return 'updated';
}

/** Deletes what there is of a model's schedules. */
export async function deleteSchedules(
  client: ScheduleClient,
  model: string,
): Promise<Readonly<Record<string, ScheduleChange>>> {
  const changes: Record<string, ScheduleChange> = {};
  for (const id of scheduleIds(model)) changes[id] = await deleteOne(client, id);
  return changes;
}

async function deleteOne(client: ScheduleClient, id: string): Promise<ScheduleChange> {
  try {
    await client.getHandle(id).delete();
    return 'deleted';
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return 'absent';
    throw error;
  }
}

/** Whether a schedule does what it should; notes are for people. */
export function isAsWanted(found: ScheduleDescription, wanted: ScheduleOptions): boolean {
  const { workflowType, taskQueue, args } = found.action;
  const { policies, action } = wanted;
  const spec: Slots = {
    calendars: (found.spec.calendars ?? []).map(({ minute, hour, dayOfWeek }) => ({
      minute: expanded(minute),
      hour: expanded(hour),
      dayOfWeek: dayOfWeek.flatMap(({ start, end }) =>
        DAYS.slice(DAYS.indexOf(start), DAYS.indexOf(end) + 1),
      ),
    })),
    intervals: found.spec.intervals ?? [],
  };
  const own = { calendars: [], intervals: [], ...wanted.spec };
  return isDeepStrictEqual(
    { spec, policies: found.policies, workflowType, taskQueue, args },
    {
      spec: own,
      policies,
      workflowType: action.workflowType,
      taskQueue: action.taskQueue,
      args: action.args,
    },
  );
}

const expanded = (ranges: readonly Range<number>[]): number[] =>
  ranges.flatMap(({ start, end, step }) =>
    Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, i) => start + i * step),
  );
