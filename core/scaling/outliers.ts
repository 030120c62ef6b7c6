import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import type { Bounds } from './scaler.ts';
import { columnOf, sortedQuantile } from './quantiles.ts';

const quantile = z.number().min(0).max(1);

/** What a spec says of values far from the others in the training rows; fitted on these alone. */
export const outlierRuleSchema = z.union([
  z.literal('none'),
  z
    .strictObject({
      kind: z.literal('winsorize'),
      lower: quantile.default(0.005),
      upper: quantile.default(0.995),
    })
    .refine(({ lower, upper }) => lower < upper, 'lower must be below upper'),
  z.strictObject({ kind: z.literal('clipSd'), sds: z.number().min(0.5).max(100).default(5) }),
]);
export type OutlierRule = z.output<typeof outlierRuleSchema>;

/** Bounds by column; undefined for the rule none. */
export function fitBounds(
  rule: OutlierRule,
  matrix: Float64Array,
  columns: number,
  rows: Int32Array,
): Bounds | undefined {
  if (rule === 'none') return undefined;
  if (rows.length === 0) throw new RatchetError('scaling.noRows', 'no rows to find outliers in');
  const low: number[] = [];
  const high: number[] = [];
  for (let column = 0; column < columns; column++) {
    const values = columnOf(matrix, columns, rows, column);
    const [from, to] =
      rule.kind === 'winsorize' ? quantiles(values, rule.lower, rule.upper) : sds(values, rule.sds);
    if (!Number.isFinite(from) || !Number.isFinite(to)) {
      throw new RatchetError(
        'scaling.notFinite',
        `column ${column} has values that are not finite in the training rows`,
        { details: { column } },
      );
    }
    low.push(from);
    high.push(to);
  }
  return { low, high };
}

function quantiles(values: Float64Array, lower: number, upper: number): [number, number] {
  // NaN sorts last, so that a high quantile would not see it.
  if (values.some(Number.isNaN)) return [NaN, NaN];
  values.sort();
  return [sortedQuantile(values, lower), sortedQuantile(values, upper)];
}

/** Mean and population SD in two passes: one would suffer from cancellation. */
function sds(values: Float64Array, count: number): [number, number] {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const reach = count * Math.sqrt(squares / values.length);
  return [mean - reach, mean + reach];
}

/** A copy of row-major values within the bounds of their columns; NaN stays NaN. */
export function withinBounds(values: Float64Array, { low, high }: Bounds): Float64Array {
  const columns = low.length;
  const out = new Float64Array(values.length);
  for (let at = 0, column = 0; at < values.length; at++) {
    out[at] = Math.min(Math.max(values[at]!, low[column]!), high[column]!);
    column = column + 1 === columns ? 0 : column + 1;
  }
  return out;
}

/** Share of the values of some rows that lie outside of their column's bounds, 0..1. */
export function shareBeyond(matrix: Float64Array, rows: Int32Array, { low, high }: Bounds): number {
  const columns = low.length;
  let beyond = 0;
  for (const row of rows) {
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      if (matrix[at]! < low[column]! || matrix[at]! > high[column]!) beyond++;
    }
  }
  return beyond / (rows.length * columns);
}

/** What was done to outliers in training, as prepared data and packages keep it. */
export const outlierRecordSchema = z.strictObject({
  features: z.strictObject({ rule: outlierRuleSchema, share: quantile }).exactOptional(),
  labels: z.strictObject({ rule: outlierRuleSchema, share: quantile }).exactOptional(),
});
/** By what was clipped: the rule and the share of the training values it moved. */
export type OutlierRecord = z.output<typeof outlierRecordSchema>;

/** The record as a sentence for people. */
export function outlierWords({ features, labels }: OutlierRecord): string {
  const words = (
    [
      ['features', features],
      ['labels', labels],
    ] as const
  ).flatMap(([what, one]) =>
    one ? [`${what} ${ruleWords(one.rule)} (${(100 * one.share).toFixed(2)} % of them)`] : [],
  );
  const where = labels ? '; evaluated on all labels as they came' : '';
  return `Training ${words.join(', ')}${where}`;
}

function ruleWords(rule: OutlierRule): string {
  if (rule === 'none') return 'as they came';
  if (rule.kind === 'clipSd') return `clipped at ${rule.sds} SD`;
  return `winsorized at the quantiles ${rule.lower} and ${rule.upper}`;
}
