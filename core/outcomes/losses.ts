import { labelKindOrThrow } from '../labels/index.ts';

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
  /** Of labels with classes: log losses of the forecast and of the class shares; null where no class could be told. */
  readonly loss?: number | null;
  readonly referenceLoss?: number | null;
}

export interface DecisionLoss {
  readonly asOf: number;
  readonly instrument: string;
  readonly loss: number;
  /** Of the forecast "nothing changes", or of the class shares, on the same row. */
  readonly naive: number;
}

/**
 * Loss of each decision over all horizons of the scale, as evaluations have it: sum_h w_h (f_h - y_h)^2 / var_train(y_h),
 * of classes sum_h w_h (-ln p_h). By `instrument` and time; decisions of which a horizon is not settled are left out.
 */
export function decisionLosses(
  rows: readonly LossRow[],
  scale: LossScale,
): Map<string, DecisionLoss> {
  const lossOf = rowLoss(scale);
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
    const one = lossOf(row, k);
    sums.set(key, sum);
    // A class that cannot be told: the decision is never whole.
    if (one === undefined) continue;
    sum.loss += scale.weights[k]! * one.loss;
    sum.naive += scale.weights[k]! * one.naive;
    sum.left -= 1;
  }
  const whole = [...sums].filter(([, { left }]) => left === 0);
  return new Map(whole.map(([key, { at, loss, naive }]) => [key, { ...at, loss, naive }]));
}

interface RowLoss {
  readonly loss: number;
  readonly naive: number;
}

/** Unweighted loss of a row at place `k` of the horizons, and that of the simplest forecast. */
function rowLoss(scale: LossScale): (row: LossRow, k: number) => RowLoss | undefined {
  const label = labelKindOrThrow(scale.labelKind);
  if (label.task === 'classification') {
    return ({ loss, referenceLoss }) =>
      typeof loss === 'number' && typeof referenceLoss === 'number'
        ? { loss, naive: referenceLoss }
        : undefined;
  }
  const valueOf = (change: number): number => label.value(1, 1 + change);
  return ({ actualChange, forecastChange }, k) => {
    const actual = valueOf(actualChange);
    const variance = scale.variance[k]!;
    return {
      loss: (valueOf(forecastChange) - actual) ** 2 / variance,
      naive: (valueOf(0) - actual) ** 2 / variance,
    };
  };
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
