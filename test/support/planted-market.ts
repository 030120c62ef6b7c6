import type { Prepared } from '../../core/features/prepared.ts';

/**
 * The prepared data with prices that go where its first horizon's changes say: each bar opens where the one before closed,
 * and closes as far from there as that bar's change. A bar whose change nobody planted stands still.
 */
export function withMarket(prepared: Prepared): Prepared {
  const { labelChanges, horizons } = prepared;
  const close = prepared.close.slice();
  const open = close.slice();
  if (labelChanges === undefined) return prepared;
  for (const { from, to } of prepared.instruments) {
    for (let row = from + 1; row < to; row++) {
      const change = labelChanges[(row - 1) * horizons.length]!;
      open[row] = close[row - 1]!;
      close[row] = close[row - 1]! * (1 + (Number.isFinite(change) ? change : 0));
    }
  }
  return { ...prepared, open, close };
}
