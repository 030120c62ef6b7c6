import { createHash } from 'node:crypto';
import { canonicalJson } from '../../core/spec/index.ts';
import { ApiError } from '../errors.ts';

/** Most characters of a cursor. */
export const CURSOR_LENGTH = 80;
/** Of the digest of a question: 60 bits. */
const DIGEST_LENGTH = 10;

/** What is the same in all rows of a range, and has to be so when it goes on. */
export interface RangeIdentity {
  /** Fixed by the first request, so that a promotion in between changes no answer. */
  readonly version: number | 'then';
  /** Clock of the first request, ms UTC: what became known later is no part of the range. */
  readonly knownBy: number;
  /** Digest of all that decides which rows there are. */
  readonly question: string;
}

/** A row of a range, by which the range goes on behind it. */
export interface RangePlace extends RangeIdentity {
  /** Position in the instruments of the range. */
  readonly instrument: number;
  /** ms UTC; negative before 1970. */
  readonly at: number;
}

export const questionDigest = (decides: readonly unknown[]): string =>
  createHash('sha256').update(canonicalJson(decides)).digest('base64url').slice(0, DIGEST_LENGTH);

export const cursorOf = ({ version, instrument, at, knownBy, question }: RangePlace): string =>
  [version, instrument, at, knownBy, question].join('.');

const FORM = /^(then|[1-9]\d{0,9})\.(\d{1,4})\.(-?\d{1,15})\.(\d{1,15})\.([\w-]{10})$/;

/** Throws `cursor.invalid`. */
export function parseCursor(text: string): RangePlace {
  const [, version, instrument, at, knownBy, question] = FORM.exec(text) ?? [];
  if (version === undefined || question === undefined) {
    const message = 'The cursor is none: give that of the last row you have, as it came.';
    throw invalid('cursor.invalid', message, 'the `cursor` of a row');
  }
  return {
    version: version === 'then' ? version : Number(version),
    instrument: Number(instrument),
    at: Number(at),
    knownBy: Number(knownBy),
    question,
  };
}

/** Of a cursor that is none of the question's. */
export const otherQuestion = (what: string): ApiError =>
  invalid(
    'cursor.other-question',
    `The cursor is of another question (${what}): ask again what its first request asked.`,
    'of this very question',
  );

const invalid = (code: string, message: string, issue: string): ApiError =>
  new ApiError('unprocessable', code, message, {
    issues: [{ path: '/cursor', message: issue }],
  });
