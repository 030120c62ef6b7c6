import { barCount, type Bars } from './bars.ts';
import { mapColumns } from './build.ts';

/**
 * Split and dividend factors that apply to the bars before `effectiveFrom` (ms UTC) and from the row
 * before it on. Cumulative: the newest row is near 1.
 */
export interface FactorRow {
  readonly effectiveFrom: number;
  /** Multiply raw prices by this (splits and dividends together). */
  readonly priceFactor: number;
  /** Divide raw volumes by this (splits alone). */
  readonly splitFactor: number;
}

const PRICES = new Set(['open', 'high', 'low', 'close']);

/**
 * Bars adjusted as of a time. A factor row becomes known when it takes effect, so rows after `asOf`
 * do not count and the prices of the newest bar known at `asOf` are unchanged:
 * price[t] x F(t)/F(asOf), volume[t] / (S(t)/S(asOf)), F and S of the first row with effectiveFrom > t.
 * Traded value (money) is not adjusted for splits; a derived one follows price x volume.
 */
export function adjustBars(
  bars: Bars,
  factors: readonly FactorRow[],
  asOf: number = Number.POSITIVE_INFINITY,
): Bars {
  if (factors.length === 0) return bars;
  const rows = [...factors].sort((a, b) => a.effectiveFrom - b.effectiveFrom);
  const now = factorAfter(rows, asOf);
  const price = new Float64Array(barCount(bars));
  const split = new Float64Array(barCount(bars));
  let row = 0;
  for (let i = 0; i < price.length; i++) {
    while (row < rows.length && rows[row]!.effectiveFrom <= bars.openTime[i]!) row++;
    const known = row < rows.length && rows[row]!.effectiveFrom <= asOf;
    price[i] = known ? rows[row]!.priceFactor / now.priceFactor : 1;
    split[i] = known ? rows[row]!.splitFactor / now.splitFactor : 1;
  }
  return mapColumns(bars, (column, name) => {
    if (PRICES.has(name)) return column.map((x, i) => x * price[i]!);
    if (name === 'volume') return column.map((x, i) => x / split[i]!);
    if (name === 'value' && bars.valueDerived) {
      return column.map((x, i) => (x * price[i]!) / split[i]!);
    }
    return column;
  });
}

/** The factors that hold just after `time`: those of the first row that takes effect later, else 1. */
function factorAfter(rows: readonly FactorRow[], time: number): Omit<FactorRow, 'effectiveFrom'> {
  const row = rows.find((r) => r.effectiveFrom > time);
  return row ?? { priceFactor: 1, splitFactor: 1 };
}
