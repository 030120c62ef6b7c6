import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { ZodError } from 'zod';
import { RatchetError } from '../core/errors.ts';

type AnyActivity = (input: never) => Promise<unknown>;

/**
 * The one place where domain errors become Temporal's: `permanent` ones are not retried, the code becomes
 * the failure's type, and the message stays the sentence a user reads. Anything else is taken as
 * transient and retries.
 */
export function toFailure(error: unknown): unknown {
  if (error instanceof TemporalFailure || error instanceof CancelledFailure) return error;
  if (error instanceof RatchetError) {
    return ApplicationFailure.create({
      message: error.message,
      type: error.code,
      nonRetryable: error.permanent,
      details: [error.details],
      cause: error,
    });
  }
  if (error instanceof ZodError) {
    return ApplicationFailure.create({
      message: error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
      type: 'input.invalid',
      nonRetryable: true,
      cause: error,
    });
  }
  return error;
}

/** Wraps every activity so that what it throws crosses the boundary as `toFailure` says. */
export function withFailures<T extends Record<string, AnyActivity>>(activities: T): T {
  const wrapped = Object.entries(activities).map(([name, activity]) => [
    name,
    async (input: never): Promise<unknown> => {
      try {
        return await activity(input);
      } catch (error) {
        throw toFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
