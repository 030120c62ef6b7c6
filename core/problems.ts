/** What is said of something that went wrong: the same in an answer of the API and in one that a worker wrote. */
import type { RatchetError } from './errors.ts';

/** What can go wrong, by name. The order of the table is the order of the documentation. */
export const PROBLEM_KINDS = {
  'bad-request': { status: 400, title: 'Bad request' },
  unauthenticated: { status: 401, title: 'No valid API key' },
  forbidden: { status: 403, title: 'Not allowed' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  conflict: { status: 409, title: 'Conflict' },
  'too-large': { status: 413, title: 'Too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'range-not-satisfiable': { status: 416, title: 'No such bytes' },
  unprocessable: { status: 422, title: 'Cannot be processed' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Internal error' },
  unavailable: { status: 503, title: 'Not available now' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemKind = keyof typeof PROBLEM_KINDS;

/** Domain errors by code, else by the last part of it; a permanent one not named here is a 422. */
const BY_CODE: Readonly<Record<string, ProblemKind>> = {
  'model.serving': 'conflict',
  'version.champion': 'conflict',
  'version.promoting': 'conflict',
  'version.deleted': 'conflict',
  'version.on-trial': 'conflict',
  'trial.none': 'conflict',
  'trial.not-manual': 'conflict',
  'trial.judged': 'conflict',
  'trial.other-version': 'conflict',
  'lifecycle.refused': 'conflict',
  'predict.non-finite': 'unavailable',
  'predict.implausible': 'unavailable',
  'internal.unreachable': 'internal',
  'upload.too-large': 'too-large',
  'backtest.too-many': 'too-many-requests',
  'batch-prediction.too-many': 'too-many-requests',
  'evaluation.too-many': 'too-many-requests',
  'parity.too-many': 'too-many-requests',
};
/** What is wrong with our own bytes is never the caller's fault. */
const BY_FIRST_PART: Readonly<Record<string, ProblemKind>> = {
  artifact: 'unavailable',
  package: 'unavailable',
  onnx: 'unavailable',
};
const BY_LAST_PART: Readonly<Record<string, ProblemKind>> = {
  unknown: 'not-found',
  'not-found': 'not-found',
  conflict: 'conflict',
  exists: 'conflict',
  ended: 'conflict',
  unavailable: 'unavailable',
};

export function problemKindOf(error: RatchetError): ProblemKind {
  const parts = error.code.split('.');
  const known =
    BY_CODE[error.code] ?? BY_FIRST_PART[parts[0] ?? ''] ?? BY_LAST_PART[parts.at(-1) ?? ''];
  return known ?? (error.permanent ? 'unprocessable' : 'unavailable');
}

/** Its sentence as others may read it. */
export const problemWordsOf = (error: RatchetError, kind: ProblemKind): string =>
  kind === 'internal' ? 'Something went wrong on our side.' : error.message;

/** Longest sentence that is sent. */
const MAX_DETAIL = 500;
export const problemDetail = (words: string): string => words.slice(0, MAX_DETAIL);

/** Why there is no answer, beside answers. */
export interface RowProblem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

export function rowProblemOf(error: RatchetError): RowProblem {
  const kind = problemKindOf(error);
  const { status } = PROBLEM_KINDS[kind];
  return { status, code: error.code, detail: problemDetail(problemWordsOf(error, kind)) };
}
