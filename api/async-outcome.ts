import type { ResultOutcome } from '../registry/results.ts';
import { hasScope, mayUseModel, type Caller } from './auth.ts';
import { ApiError, notFound, problemBody } from './errors.ts';

/** An answer as text, as it would have been sent. */
export interface TextAnswer {
  readonly contentType: string;
  readonly text: string;
}

/** What became of a request whose answer is fetched later. */
export type AsyncResult =
  | { readonly status: 'pending'; readonly durable: boolean }
  | { readonly status: 'done'; readonly contentType: string; readonly text: string }
  | { readonly status: 'failed'; readonly problem: Readonly<Record<string, unknown>> };

export const failureOf = (problem: Readonly<Record<string, unknown>>): ResultOutcome => ({
  status: 'failed',
  contentType: 'application/problem+json',
  body: JSON.stringify(problem),
});

export const resultOf = ({ status, contentType, body }: ResultOutcome): AsyncResult =>
  status === 'done'
    ? { status, contentType, text: body }
    : { status, problem: JSON.parse(body) as Record<string, unknown> };

/** Others learn nothing, not even that it exists. */
export function checkOwner(caller: Caller, owner: { keyId: string; model: string }): void {
  const isTheirs = caller.keyId === owner.keyId || hasScope(caller, 'admin');
  if (!isTheirs || !mayUseModel(caller, owner.model)) throw unknownResult();
}

export const unknownResult = (): ApiError =>
  notFound(
    'result.not-found',
    'There is no such result of this key: results are for the key that asked, and end after an hour.',
  );

export const lostProblem = (requestId: string): Record<string, unknown> =>
  problemBody(
    new ApiError(
      'unavailable',
      'result.lost',
      'The process that was to compute it has ended. Nothing came of it: ask again.',
    ),
    requestId,
  );
