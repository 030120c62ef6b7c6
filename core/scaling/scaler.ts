/** One affine map a column: scaled = (x - offset) * factor, then clipped; x = scaled / factor + offset. */
export interface ScalerState {
  readonly kind: 'minmax' | 'standard' | 'none';
  readonly offset: readonly number[];
  /** 1 / range (or 1 / SD); 1 where the column is constant in the training rows. */
  readonly factor: readonly number[];
  /** Range that served values are clipped to, in scaled units; absent for labels. */
  readonly clip?: readonly [number, number];
}
