import type { Context } from '@temporalio/activity';

/** Well below every heartbeat time-out of workflows/stubs.ts; the SDK sends fewer. */
const HEARTBEAT_MS = 5_000;

/** Runs work that waits for others, and reports all the while that this worker is alive. */
export async function whileBeating<T>(context: Context, work: () => Promise<T>): Promise<T> {
  context.heartbeat();
  const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}
