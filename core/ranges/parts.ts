/** Rows of a record batch, or of a chunk of lines; fewer at the start of what goes on, and at the end of an instrument. */
export const BATCH_ROWS = 64;
/** Rows of one part: the instants whose features are built at once (predict/range.ts), whole batches, and some 4 MB of lines. */
export const PART_ROWS = 4_096;

/** Instants of one instrument. */
export interface RangeSpan {
  /** Position in the instruments of the range. */
  readonly instrument: number;
  /** Positions in the instants of the range; `to` is not included. */
  readonly from: number;
  readonly to: number;
}

/** A range as it is cut: so many instruments, each asked at so many instants. */
export interface RangeSize {
  readonly instruments: number;
  readonly instants: number;
}

/** An instrument has parts of its own, or few instants: then several share one. */
const apart = ({ instants }: RangeSize): { readonly parts: number } | { readonly share: number } =>
  instants > PART_ROWS / 2
    ? { parts: Math.ceil(instants / PART_ROWS) }
    : { share: Math.floor(PART_ROWS / Math.max(1, instants)) };

export function partCount(size: RangeSize): number {
  const cut = apart(size);
  return 'parts' in cut ? size.instruments * cut.parts : Math.ceil(size.instruments / cut.share);
}

/** What part `n` (from 0) answers, in order of the rows. The same range is always cut alike. */
export function spansOfPart(size: RangeSize, n: number): readonly RangeSpan[] {
  const { instruments, instants } = size;
  const cut = apart(size);
  if ('parts' in cut) {
    const from = (n % cut.parts) * PART_ROWS;
    const instrument = Math.floor(n / cut.parts);
    return [{ instrument, from, to: Math.min(from + PART_ROWS, instants) }];
  }
  const first = n * cut.share;
  const count = Math.min(cut.share, instruments - first);
  return Array.from({ length: count }, (_, i) => ({
    instrument: first + i,
    from: 0,
    to: instants,
  }));
}
