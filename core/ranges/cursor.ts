import { createHash } from 'node:crypto';
import { canonicalJson } from '../spec/index.ts';

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

/** Undefined: it is no cursor. */
export function placeOf(cursor: string): RangePlace | undefined {
  const [, version, instrument, at, knownBy, question] = FORM.exec(cursor) ?? [];
  if (version === undefined || question === undefined) return undefined;
  return {
    version: version === 'then' ? version : Number(version),
    instrument: Number(instrument),
    at: Number(at),
    knownBy: Number(knownBy),
    question,
  };
}
