import type { Context } from '@temporalio/activity';

/** Well below every heartbeat time-out of workflows/stubs.ts; the SDK sends fewer. */
const HEARTBEAT_MS = 2_000;

/**
 * Runs work that waits for others, and reports all the while that this worker is alive. `beat`: what is told with it,
 * where something is.
 */
export async function whileBeating<T>(
  context: Context,
  work: () => Promise<T>,
  beat = (): void => context.heartbeat(),
): Promise<T> {
  beat();
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
