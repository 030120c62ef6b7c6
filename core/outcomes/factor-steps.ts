import type { FactorRow } from '../bars/adjust.ts';

/** Far below any dividend: what is smaller is how a vendor rounds its factors. */
const ROUNDING = 1e-9;

/** By the time it takes effect: the factor of the bars before it, over that of the bars from it on. */
function stepsOf(factors: readonly FactorRow[]): Map<number, number> {
  const rows = [...factors].sort((a, b) => a.effectiveFrom - b.effectiveFrom);
  return new Map(
    rows.map((row, i) => [row.effectiveFrom, row.priceFactor / (rows[i + 1]?.priceFactor ?? 1)]),
  );
}

/**
 * Times (ms UTC) at which two sets of factor rows adjust differently: only a change from a bar before such a time to one
 * at or after it is another one. A new dividend rescales every older row, and is one step.
 */
export function changedSteps(before: readonly FactorRow[], after: readonly FactorRow[]): number[] {
  const [old, now] = [stepsOf(before), stepsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((time) => Math.abs((old.get(time) ?? 1) - (now.get(time) ?? 1)) > ROUNDING)
    .sort((a, b) => a - b);
}
