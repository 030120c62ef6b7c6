import { barCount, sliceBars, type Bars } from '../bars/bars.ts';

/** Later bars that are kept, altered: as far as a look ahead commonly goes. */
const KEPT_BARS = 64;
/** What prices and volumes of the later bars are multiplied by: far more than any market moves in a bar. */
const FACTORS = [3, 1 / 3] as const;

/**
 * The same bars up to `cut`, and after it bars of another world: tripled, and a third. Where taking bars away makes a
 * column fall back on something close to what it said before, or a decision is rarely a close one, these tell.
 */
export function otherFutures(bars: Bars, cut: number): readonly Bars[] {
  const kept = sliceBars(bars, 0, Math.min(barCount(bars), cut + KEPT_BARS));
  return FACTORS.map((factor) => {
    const altered = (column: Float64Array): Float64Array =>
      column.map((value, row) => (row < cut ? value : value * factor));
    const { open, high, low, close, volume, value, exogenous } = kept;
    return {
      ...kept,
      ...{ open: altered(open), high: altered(high), low: altered(low), close: altered(close) },
      ...{ volume: altered(volume), value: altered(value) },
      ...(exogenous && {
        exogenous: Object.fromEntries(
          Object.entries(exogenous).map(([name, column]) => [name, altered(column)]),
        ),
      }),
    };
  });
}
