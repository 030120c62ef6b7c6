/** What Temporal's histories say about time: how long a workflow ran, and how long activities ran meanwhile. */
import type { Client } from '@temporalio/client';

interface Interval {
  readonly from: number;
  readonly to: number;
}

export interface WorkflowTimes {
  /** First event to last, ms. */
  readonly wallMs: number;
  /** Of which at least one activity ran, those of children too: from its start on a worker to its completion, ms. */
  readonly activityMs: number;
}

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

const msOf = ({ eventTime }: HistoryEvent): number =>
  Number(eventTime!.seconds ?? 0) * 1000 + (eventTime!.nanos ?? 0) / 1e6;

/** Times of a workflow that has ended. */
export async function timesOf(client: Client, workflowId: string): Promise<WorkflowTimes> {
  const { events, intervals } = await read(client, workflowId, undefined);
  return {
    wallMs: msOf(events.at(-1)!) - msOf(events[0]!),
    activityMs: lengthOfUnion(intervals),
  };
}

async function read(client: Client, workflowId: string, runId: string | undefined) {
  const handle = client.workflow.getHandle(workflowId, runId);
  const events = (await handle.fetchHistory()).events ?? [];
  const intervals = activitiesOf(events);
  for (const { childWorkflowExecutionStartedEventAttributes: started } of events) {
    const child = started?.workflowExecution;
    if (!child?.workflowId) continue;
    const own = await read(client, child.workflowId, child.runId ?? undefined);
    intervals.push(...own.intervals);
  }
  return { events, intervals };
}

function activitiesOf(events: readonly HistoryEvent[]): Interval[] {
  const startedAt = new Map<string, number>();
  return events.flatMap((event) => {
    if (event.activityTaskStartedEventAttributes) {
      startedAt.set(String(event.eventId), msOf(event));
    }
    const ended = event.activityTaskCompletedEventAttributes;
    const from = startedAt.get(String(ended?.startedEventId));
    return from === undefined ? [] : [{ from, to: msOf(event) }];
  });
}

/** Overlapping times count once. */
function lengthOfUnion(intervals: readonly Interval[]): number {
  let [length, end] = [0, -Infinity];
  for (const { from, to } of [...intervals].sort((a, b) => a.from - b.from)) {
    length += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return length;
}
