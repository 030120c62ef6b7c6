import { ApiError } from '../errors.ts';

/** Instruments of one range at most: as many as a cursor counts. */
export const MAX_INSTRUMENTS = 10_000;

/** A row of a range, by which the range goes on behind it. */
export interface RangePlace {
  /** Fixed by the first request, so that a promotion in between changes no answer. */
  readonly version: number | 'then';
  /** Position in the instruments of the range. */
  readonly instrument: number;
  /** ms UTC. */
  readonly at: number;
}

export const cursorOf = ({ version, instrument, at }: RangePlace): string =>
  `${version}.${instrument}.${at}`;

/** Throws `cursor.invalid`. */
export function parseCursor(text: string): RangePlace {
  const [, version, instrument, at] =
    /^(then|[1-9]\d{0,9})\.(\d{1,4})\.(\d{1,15})$/.exec(text) ?? [];
  if (version === undefined) {
    const message = 'The cursor is none: give that of the last row you have, as it came.';
    throw new ApiError('unprocessable', 'cursor.invalid', message, {
      issues: [{ path: '/cursor', message: 'the `cursor` of a row' }],
    });
  }
  return {
    version: version === 'then' ? version : Number(version),
    instrument: Number(instrument),
    at: Number(at),
  };
}
