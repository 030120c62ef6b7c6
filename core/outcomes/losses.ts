import { regressionLabelOrThrow } from '../labels/index.ts';

/** What losses are measured by: label units, horizons, variances of the training labels, weights adding up to 1. */
export interface LossScale {
  readonly labelKind: string;
  readonly horizons: readonly number[];
  readonly variance: readonly number[];
  readonly weights: readonly number[];
}

/** One settled horizon of one decision; changes are fractions of the last close. */
export interface LossRow {
  readonly instrument: string;
  /** Decision time, ms UTC. */
  readonly asOf: number;
  readonly horizon: number;
  readonly forecastChange: number;
  readonly actualChange: number;
}

export interface DecisionLoss {
  readonly asOf: number;
  readonly instrument: string;
  readonly loss: number;
  /** Of the forecast "nothing changes", on the same row. */
  readonly naive: number;
}

/**
 * Loss of each decision over all horizons of the scale: sum_h w_h (f_h - y_h)^2 / var_train(y_h), as evaluations have
 * it. By `instrument` and time; decisions of which a horizon is not settled are left out.
 */
export function decisionLosses(
  rows: readonly LossRow[],
  scale: LossScale,
): Map<string, DecisionLoss> {
  const label = regressionLabelOrThrow(scale.labelKind);
  const valueOf = (change: number): number => label.value(1, 1 + change);
  const place = new Map(scale.horizons.map((horizon, k) => [horizon, k]));
  const sums = new Map<string, { at: DecisionLoss; loss: number; naive: number; left: number }>();
  for (const row of rows) {
    const k = place.get(row.horizon);
    if (k === undefined) continue;
    const key = `${row.asOf}/${row.instrument}`;
    const { asOf, instrument } = row;
    const sum = sums.get(key) ?? {
      at: { asOf, instrument, loss: 0, naive: 0 },
      ...{ loss: 0, naive: 0, left: scale.horizons.length },
    };
    const actual = valueOf(row.actualChange);
    const weight = scale.weights[k]! / scale.variance[k]!;
    sum.loss += weight * (valueOf(row.forecastChange) - actual) ** 2;
    sum.naive += weight * (valueOf(0) - actual) ** 2;
    sum.left -= 1;
    sums.set(key, sum);
  }
  const whole = [...sums].filter(([, { left }]) => left === 0);
  return new Map(whole.map(([key, { at, loss, naive }]) => [key, { ...at, loss, naive }]));
}

/** Losses by decision time, ascending; columns aligned, instruments averaged (they move together). */
export interface LossColumns {
  readonly asOf: Float64Array;
  readonly columns: readonly Float64Array[];
  /** Instrument rows behind them. */
  readonly rows: number;
}

/** `valuesOf` gives the columns of one instrument at one time, as many for each. */
export function averageByTime<T extends { readonly asOf: number }>(
  rows: readonly T[],
  width: number,
  valuesOf: (row: T) => readonly number[],
): LossColumns {
  const asOf = Float64Array.from(new Set(rows.map((row) => row.asOf))).sort();
  const at = new Map(Array.from(asOf, (time, i) => [time, i]));
  const counts = new Float64Array(asOf.length);
  const columns = Array.from({ length: width }, () => new Float64Array(asOf.length));
  for (const row of rows) {
    const i = at.get(row.asOf)!;
    counts[i]! += 1;
    for (const [c, value] of valuesOf(row).entries()) columns[c]![i]! += value;
  }
  for (const column of columns) column.forEach((sum, i) => (column[i] = sum / counts[i]!));
  return { asOf, columns, rows: rows.length };
}
