/** Feature values, one row a bar: `values[row * names.length + column]`. NaN where not yet warm. */
export interface FeatureMatrix {
  readonly names: readonly string[];
  readonly rows: number;
  /** Open time of each row's bar, ms UTC. */
  readonly openTime: Float64Array;
  readonly values: Float64Array;
  /** First row at which every column is warm. */
  readonly firstWarmRow: number;
}

/** Labels, one row a bar: `values[row * horizons.length + k]`; NaN where not (yet) known. */
export interface LabelMatrix {
  readonly horizons: readonly number[];
  readonly rows: number;
  /** Label units; of a kind with classes the place of the class. */
  readonly values: Float64Array;
  /** Simple return to the bar that the label looks at, whatever the kind. */
  readonly changes: Float64Array;
  /** Open time of the bar at which the row's longest label is known, NaN where not yet known. */
  readonly labelEnd: Float64Array;
}
