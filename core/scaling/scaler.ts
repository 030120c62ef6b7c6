/** Names of scalers; `core/scaling/index.ts` has what they do. */
export const SCALER_KINDS = ['minmax', 'standard', 'robust', 'none'] as const;
export type ScalerKind = (typeof SCALER_KINDS)[number];

/** Least and largest value of each column, in units of the column. */
export interface Bounds {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** One affine map a column: scaled = (x - offset) * factor, then clipped; x = scaled / factor + offset. */
export interface ScalerState {
  readonly kind: ScalerKind;
  readonly offset: readonly number[];
  /** 1 / range (or 1 / SD, 1 / interquartile range); 1 where the column is constant in the training rows. */
  readonly factor: readonly number[];
  /** Range that served values are clipped to, in scaled units; absent for labels. */
  readonly clip?: readonly [number, number];
  /** Values are brought within these first; absent: outliers are left as they are. */
  readonly bounds?: Bounds;
}
