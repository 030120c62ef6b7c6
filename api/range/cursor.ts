import { placeOf, type RangePlace } from '../../core/ranges/index.ts';
import { ApiError } from '../errors.ts';

/** Throws `cursor.invalid`. */
export function parseCursor(text: string): RangePlace {
  const place = placeOf(text);
  if (place) return place;
  const message = 'The cursor is none: give that of the last row you have, as it came.';
  throw invalid('cursor.invalid', message, 'the `cursor` of a row');
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
