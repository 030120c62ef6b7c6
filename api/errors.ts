import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Log } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import {
  PROBLEM_KINDS,
  problemDetail,
  problemKindOf,
  problemWordsOf,
  type ProblemKind,
} from '../core/problems.ts';

/** Status codes of successes. No other file of the API names a status code. */
export const HTTP = {
  switching: 101,
  ok: 200,
  created: 201,
  accepted: 202,
  noContent: 204,
  partial: 206,
  redirect: 302,
} as const;

/** One thing that is wrong with a field. */
export interface FieldIssue {
  /** Where, e.g. `/data/instruments/0`. */
  readonly path: string;
  readonly message: string;
}

/** An answer that is a problem. `message` is shown to the caller: no stack, path or SQL goes in. */
export class ApiError extends RatchetError {
  readonly kind: ProblemKind;
  readonly issues: readonly FieldIssue[];
  readonly retryAfterS: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: ProblemKind,
    code: string,
    message: string,
    options: {
      readonly issues?: readonly FieldIssue[];
      readonly details?: Readonly<Record<string, unknown>>;
      readonly retryAfterS?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(code, message, {
      ...(options.details === undefined ? {} : { details: options.details }),
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    });
    this.kind = kind;
    this.issues = options.issues ?? [];
    this.retryAfterS = options.retryAfterS;
    this.headers = options.headers ?? {};
  }
}

/**
 * Codes of PostgreSQL that say "the database cannot now", not "the query is wrong": no connection, out of
 * disk, memory or connections, shutting down, too slow, read-only after a failover.
 */
const DATABASE_AWAY = /^(08...|53...|57P0\d|57014|25006)$/;
/** The same of the system below it. */
const NETWORK_AWAY =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
const DATABASE_AWAY_TEXT =
  /(timeout exceeded when trying to connect|Connection terminated|Query read timeout|connection timeout|Client has encountered a connection error)/i;

/** Is this the database being away? Read along the causes (and the errors of an AggregateError). */
export function isDatabaseAway(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('code' in e && typeof e.code === 'string') {
      if (DATABASE_AWAY.test(e.code) || NETWORK_AWAY.test(e.code)) return true;
      // A socket file that is not there; any other file that is missing is another matter.
      if (e.code === 'ENOENT' && 'syscall' in e && e.syscall === 'connect') return true;
    }
    if (DATABASE_AWAY_TEXT.test(e.message)) return true;
    if (e instanceof AggregateError && e.errors.some(isDatabaseAway)) return true;
  }
  return false;
}

/** gRPC says that Temporal is away: UNAVAILABLE, DEADLINE_EXCEEDED, or no connection at all. */
export const temporalAway = (cause: unknown): ApiError =>
  new ApiError(
    'unavailable',
    'temporal.unavailable',
    'The workflow service (Temporal) does not answer; nothing was started. Try again shortly, or look at `ratchet status`.',
    { retryAfterS: 5, cause },
  );

/** Turns whatever was thrown into a problem; `unexpected` tells the caller to log it with its stack. */
export function toApiError(error: unknown): { problem: ApiError; unexpected: boolean } {
  if (error instanceof ApiError) return { problem: error, unexpected: error.kind === 'internal' };
  if (error instanceof HTTPException) return { problem: fromHono(error), unexpected: false };
  if (isDatabaseAway(error)) {
    const problem = new ApiError(
      'unavailable',
      'database.unavailable',
      'The database does not answer. Predictions go on; this request needs it. Try again shortly.',
      { retryAfterS: 5, cause: error },
    );
    return { problem, unexpected: false };
  }
  if (error instanceof RatchetError) return fromDomain(error);
  const problem = new ApiError(
    'internal',
    'internal.error',
    'Something went wrong on our side; the request id finds it in the logs.',
    { cause: error },
  );
  return { problem, unexpected: true };
}

/** The problem that answers what was thrown; what nobody foresaw is logged with its stack. */
export function problemOf(
  error: unknown,
  log: Log,
  request: { readonly requestId: string; readonly path: string },
): ApiError {
  const { problem, unexpected } = toApiError(error);
  if (unexpected) log.error({ err: error, ...request }, 'a request failed');
  return problem;
}

function fromDomain(error: RatchetError): { problem: ApiError; unexpected: boolean } {
  const kind = problemKindOf(error);
  const issues = 'issues' in error ? readIssues(error.issues) : [];
  // Facts go out with what the caller can mend; of our own troubles only the sentence does.
  const ours = kind === 'internal' || kind === 'unavailable';
  const message = problemWordsOf(error, kind);
  const { issues: _listed, ...details } = error.details;
  const problem = new ApiError(kind, error.code, message, {
    issues,
    details: ours ? {} : details,
    cause: error,
    ...(kind === 'unavailable' ? { retryAfterS: 5 } : {}),
  });
  return { problem, unexpected: kind === 'internal' };
}

function readIssues(value: unknown): FieldIssue[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_ISSUES).map((issue: unknown) => {
    if (typeof issue === 'string') return { path: '', message: issue };
    const { path, message, suggestion } = issue as Partial<Record<string, unknown>>;
    const text = typeof message === 'string' ? message : 'is not valid';
    return {
      path: Array.isArray(path) ? pointer(path) : typeof path === 'string' ? path : '',
      message: typeof suggestion === 'string' ? `${text}. ${suggestion}` : text,
    };
  });
}

function fromHono(error: HTTPException): ApiError {
  const kind = (Object.keys(PROBLEM_KINDS) as ProblemKind[]).find(
    (k) => PROBLEM_KINDS[k].status === error.status,
  );
  if (kind === 'unsupported-media-type') {
    return new ApiError(kind, 'body.media-type', 'Send the body as application/json.');
  }
  return new ApiError(
    kind ?? 'bad-request',
    'request.invalid',
    kind === 'bad-request' ? 'The body is not valid JSON.' : (error.message ?? 'Invalid request.'),
  );
}

/** Most field issues that one answer lists. */
export const MAX_ISSUES = 20;

/** JSON pointer of a zod path; odd keys are shortened. */
export const pointer = (path: readonly unknown[]): string =>
  path.map((part) => `/${String(part).slice(0, 64)}`).join('');

/** A problem as it is sent (RFC 9457). */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly issues?: readonly FieldIssue[];
  /** Facts of this one. */
  readonly [fact: string]: unknown;
}

export function problemBody(problem: ApiError, requestId: string): ProblemBody {
  const { status, title } = PROBLEM_KINDS[problem.kind];
  return {
    type: `urn:ratchet:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problemDetail(problem.message),
    requestId,
    ...(problem.issues.length > 0 ? { issues: problem.issues } : {}),
    ...problem.details,
  };
}

/** What a problem is sent with, beside the headers of every answer. */
export function problemHeaders({ headers, retryAfterS }: ApiError): Record<string, string> {
  return {
    ...headers,
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
  };
}

/** Writes a problem as the answer. */
export function problemResponse(c: Context, problem: ApiError, requestId: string): Response {
  return c.body(
    JSON.stringify(problemBody(problem, requestId)),
    PROBLEM_KINDS[problem.kind].status,
    problemHeaders(problem),
  );
}

export const statusOf = (kind: ProblemKind): number => PROBLEM_KINDS[kind].status;
export const titleOf = (kind: ProblemKind): string => PROBLEM_KINDS[kind].title;
export const problemKinds = Object.keys(PROBLEM_KINDS) as readonly ProblemKind[];

export const notFound = (code: string, message: string): ApiError =>
  new ApiError('not-found', code, message);
