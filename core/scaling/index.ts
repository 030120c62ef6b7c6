import { RatchetError } from '../errors.ts';
import { withinBounds } from './outliers.ts';
import { columnOf, sortedQuantile } from './quantiles.ts';
import type { Bounds, ScalerKind, ScalerState } from './scaler.ts';

export {
  fitBounds,
  type OutlierRecord,
  outlierRecordSchema,
  type OutlierRule,
  outlierRuleSchema,
  outlierWords,
  shareBeyond,
  withinBounds,
} from './outliers.ts';
export { sortedQuantile } from './quantiles.ts';
export { type Bounds, SCALER_KINDS, type ScalerKind, type ScalerState } from './scaler.ts';

/** A way of bringing columns to a common scale. Add one: an entry here, nothing else. */
interface Scaler {
  readonly name: ScalerKind;
  readonly docs: string;
  /** Range that served feature values are clipped to, in scaled units. */
  readonly clip?: readonly [number, number];
  /** Offset and factor of one column from its statistics over the training rows. */
  fit(stats: ColumnStats): { readonly offset: number; readonly factor: number };
}

interface ColumnStats {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Population standard deviation. */
  readonly sd: number;
  /** By linear interpolation between order statistics (numpy's default). */
  quantile(q: number): number;
}

const inverse = (range: number): number => (range > 0 ? 1 / range : 1);

export const scalers: Readonly<Record<ScalerKind, Scaler>> = Object.freeze({
  minmax: {
    name: 'minmax',
    docs: 'Training minimum to 0, training maximum to 1; served values are clipped to -0.5..1.5.',
    clip: [-0.5, 1.5] as const,
    fit: ({ min, max }) => ({ offset: min, factor: inverse(max - min) }),
  },
  standard: {
    name: 'standard',
    docs: 'Training mean to 0, training SD to 1; served values are clipped to -5..5.',
    clip: [-5, 5] as const,
    fit: ({ mean, sd }) => ({ offset: mean, factor: inverse(sd) }),
  },
  robust: {
    name: 'robust',
    docs:
      'Training median to 0, training interquartile range to 1 (the SD where the quartiles are equal); ' +
      'served values are clipped to -5..5.',
    clip: [-5, 5] as const,
    fit: ({ sd, quantile }) => {
      const spread = quantile(0.75) - quantile(0.25);
      return { offset: quantile(0.5), factor: inverse(spread > 0 ? spread : sd) };
    },
  },
  none: {
    name: 'none',
    docs: 'Values as they are.',
    fit: () => ({ offset: 0, factor: 1 }),
  },
});

/**
 * Fits a scaler on some rows of a row-major matrix `[any x columns]`: the training rows only, or the
 * scaler leaks. `clip: false` for labels, whose forecasts are never clipped. `bounds`: what values are
 * brought within before anything else, here and wherever the scaler is applied.
 *
 * A column that is constant in these rows keeps factor 1 (it becomes 0, not NaN).
 * Throws `scaling.noRows` and `scaling.notFinite` (a NaN or Infinity in a training row).
 */
export function fitScaler(
  kind: ScalerKind,
  matrix: Float64Array,
  columns: number,
  rows: Int32Array,
  options: { readonly clip?: boolean; readonly bounds?: Bounds | undefined } = {},
): ScalerState {
  if (rows.length === 0) throw new RatchetError('scaling.noRows', 'no rows to fit a scaler on');
  const entry = scalers[kind];
  const { bounds } = options;
  const seen = bounds ? withinBounds(matrix, bounds) : matrix;
  const fitted = columnStats(seen, columns, rows).map((stats) => entry.fit(stats));
  const offset = fitted.map((column) => column.offset);
  const factor = fitted.map((column) => column.factor);
  const clip = options.clip === false ? undefined : entry.clip;
  return { kind, offset, factor, ...(clip && { clip }), ...(bounds && { bounds }) };
}

/** Two passes by row (as the memory lies), so that the SD does not suffer from cancellation. */
function columnStats(matrix: Float64Array, columns: number, rows: Int32Array): ColumnStats[] {
  const min = new Float64Array(columns).fill(Infinity);
  const max = new Float64Array(columns).fill(-Infinity);
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  for (let i = 0; i < rows.length; i++) {
    for (let column = 0, at = rows[i]! * columns; column < columns; column++, at++) {
      const value = matrix[at]!;
      if (value < min[column]!) min[column] = value;
      if (value > max[column]!) max[column] = value;
      mean[column]! += value;
    }
  }
  for (let column = 0; column < columns; column++) {
    requireFinite(mean[column]!, column);
    mean[column]! /= rows.length;
  }
  for (let i = 0; i < rows.length; i++) {
    for (let column = 0, at = rows[i]! * columns; column < columns; column++, at++) {
      const deviation = matrix[at]! - mean[column]!;
      squares[column]! += deviation * deviation;
    }
  }
  return Array.from(mean, (value, column) => ({
    min: min[column]!,
    max: max[column]!,
    mean: value,
    // A constant column may leave a rounding residue in the mean; it is constant all the same.
    sd: max[column]! > min[column]! ? Math.sqrt(squares[column]! / rows.length) : 0,
    quantile: quantilesOf(matrix, columns, rows, column),
  }));
}

/** Sorts a column when it is first asked for: most scalers never do. */
function quantilesOf(matrix: Float64Array, columns: number, rows: Int32Array, column: number) {
  let sorted: Float64Array | undefined;
  return (q: number): number => {
    sorted ??= columnOf(matrix, columns, rows, column).sort();
    return sortedQuantile(sorted, q);
  };
}

function requireFinite(sum: number, column: number): void {
  if (Number.isFinite(sum)) return;
  throw new RatchetError(
    'scaling.notFinite',
    `column ${column} has values that are not finite in the training rows`,
    { details: { column } },
  );
}

export interface Scaled {
  /** Same shape as the input. */
  readonly values: Float64Array;
  /** How many values were clipped: a served window far outside of what was trained on. */
  readonly clipped: number;
}

/**
 * Scales row-major `[rows x columns]` values: within the bounds where there are some, then
 * `(x - offset) * factor`, then clipped where the state says. A value is counted once.
 */
export function applyScaler(state: ScalerState, values: Float64Array): Scaled {
  const columns = checkedColumns(state, values);
  const { clip: [low, high] = [-Infinity, Infinity], bounds } = state;
  const scaled = new Float64Array(values.length);
  let clipped = 0;
  for (let i = 0, column = 0; i < values.length; i++) {
    const given = values[i]!;
    const seen = bounds
      ? Math.min(Math.max(given, bounds.low[column]!), bounds.high[column]!)
      : given;
    const value = (seen - state.offset[column]!) * state.factor[column]!;
    const within = value < low ? low : value > high ? high : value;
    // NaN is not equal to itself, and no clip makes it a number.
    if (seen !== given || within !== value) clipped += Number.isNaN(given) ? 0 : 1;
    scaled[i] = within;
    if (++column === columns) column = 0;
  }
  return { values: scaled, clipped };
}

/** Undoes `applyScaler` for values that were not clipped: `scaled / factor + offset`. */
export function invertScaler(state: ScalerState, scaled: Float64Array): Float64Array {
  const columns = checkedColumns(state, scaled);
  const values = new Float64Array(scaled.length);
  for (let i = 0, column = 0; i < scaled.length; i++) {
    values[i] = scaled[i]! / state.factor[column]! + state.offset[column]!;
    if (++column === columns) column = 0;
  }
  return values;
}

function checkedColumns(state: ScalerState, values: Float64Array): number {
  const columns = state.offset.length;
  if (columns === 0 || state.factor.length !== columns || values.length % columns !== 0) {
    throw new RatchetError(
      'scaling.shape',
      `${values.length} values do not fit a scaler of ${columns} columns`,
    );
  }
  return columns;
}
