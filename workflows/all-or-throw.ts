import { ApplicationFailure, isCancellation, rootCause } from '@temporalio/workflow';

/** All values, or one failure that names every cause; a cancel stays a cancel. */
export function allOrThrow<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  const failures = settled.filter((result) => result.status === 'rejected');
  const first = failures[0];
  if (first === undefined) {
    return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
  }
  if (failures.length === 1 || failures.some((failure) => isCancellation(failure.reason))) {
    throw (failures.find((failure) => isCancellation(failure.reason)) ?? first).reason;
  }
  const message = failures.map((failure) => reasonOf(failure.reason)).join(' | ');
  throw ApplicationFailure.nonRetryable(message, 'experiment.units-failed');
}

/** The innermost cause of a failure, in words. */
export const reasonOf = (error: unknown): string => rootCause(error) ?? String(error);

/** How a run ends that threw: one that was told to stop did not fail. */
export const endOf = (
  error: unknown,
): { readonly status: 'cancelled' | 'failed'; readonly reason: string } =>
  isCancellation(error)
    ? { status: 'cancelled', reason: 'cancelled on request' }
    : { status: 'failed', reason: reasonOf(error) };
