/** A workflow that only waits: for the proof that weeks pass in a test. */
import { sleep } from '@temporalio/workflow';

export async function wait({ days }: { readonly days: number }): Promise<{ waitedDays: number }> {
  const before = Date.now();
  await sleep(`${days} days`);
  return { waitedDays: (Date.now() - before) / 86_400_000 };
}
