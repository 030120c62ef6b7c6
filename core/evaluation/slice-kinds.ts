/** What test rows are sliced by, in the order of the report. */
export const SLICE_KINDS = ['horizon', 'instrument', 'year', 'regime'] as const;
export type SliceKind = (typeof SLICE_KINDS)[number];
