import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  rootCause,
  workflowInfo,
} from '@temporalio/workflow';
import type { CompleteSearchResult } from '../activities/contracts-search.ts';
import type { SweepInput } from './messages.ts';
import { record, training } from './stubs.ts';

/**
 * The search of one model: trials in a sliding window, in order of their numbers. Trial k begins once all trials up to
 * k - parallel have ended, so that what it tries and whether it is pruned depends on those alone: neither the number of
 * training slots nor a crash changes the outcome.
 */
export async function sweep(input: SweepInput): Promise<CompleteSearchResult> {
  const { experimentId, unit } = input;
  const search = { experimentId, model: unit.model };
  // Runs never reject: each gives what ended it, if that was not its own end.
  const runs: Promise<unknown>[] = [];
  let next: number | undefined;
  try {
    if (input.next === 0) await record.openSearch(search);
    next = await fanOut(input, runs);
    throwFirst(await Promise.all(runs));
    if (next === undefined) return await record.completeSearch(search);
  } catch (error) {
    await CancellationScope.nonCancellable(async () => {
      // A cancelled fit reports back once its process is gone.
      await Promise.all(runs);
      const cancelled = isCancellation(error);
      await record.abandonSearch({
        ...search,
        state: cancelled ? 'cancelled' : 'failed',
        message: cancelled ? 'cancelled on request' : (rootCause(error) ?? String(error)),
      });
    });
    throw error;
  }
  return continueAsNew<typeof sweep>({ ...input, next });
}

/** Starts trials; the number to go on with in a new run where the history has become long, else undefined. */
async function fanOut(input: SweepInput, runs: Promise<unknown>[]): Promise<number | undefined> {
  const { experimentId, unit, trials, parallel, next } = input;
  for (let trial = next; trial < trials; trial++) {
    throwFirst(await Promise.all(runs.slice(0, Math.max(0, trial - next - parallel + 1))));
    if (trial > next && workflowInfo().continueAsNewSuggested) return trial;
    const key = { experimentId, model: unit.model, trial };
    const { stop } = await record.suggestTrial(key);
    if (stop) return undefined;
    runs.push(runTrial(input, key));
  }
  return undefined;
}

/** All rungs of a trial. Resolves with the error that is none of the trial's own: a cancel, or that nothing can be recorded. */
async function runTrial(
  { unit, prepared, rungs }: SweepInput,
  key: { readonly experimentId: string; readonly model: string; readonly trial: number },
): Promise<unknown> {
  try {
    try {
      for (let rung = 0; rung < rungs; rung++) {
        const { goesOn } = await training.fitTrial({ ...key, unit, prepared, rung });
        if (!goesOn) break;
      }
      return undefined;
    } catch (error) {
      if (isCancellation(error)) return error;
      await record.failTrial({ ...key, reason: rootCause(error) ?? String(error) });
      return undefined;
    }
  } catch (error) {
    return error;
  }
}

function throwFirst(ends: readonly unknown[]): void {
  const error = ends.find((end) => end !== undefined);
  if (error !== undefined) throw error;
}
