import { counted, defineRule, findingAt, PASS, rowsWhere, timesOf } from '../rule.ts';

/** Vendors round the four prices apart from each other; single-precision sources differ by 6e-8. */
const RELATIVE_TOLERANCE = 1e-6;

export const ohlc = defineRule({
  name: 'ohlc',
  docs: 'Prices are positive and finite, volume is not negative, high and low enclose open and close.',
  threshold: `high >= max(open, close, low), low <= min(open, close), relative tolerance ${RELATIVE_TOLERANCE}`,
  severity: 'block',
  check: ({ bars }) => {
    const { open, high, low, close, volume } = bars;
    const rows = rowsWhere(bars, (i) => {
      const o = open[i]!;
      const h = high[i]!;
      const l = low[i]!;
      const c = close[i]!;
      const valid =
        Math.min(o, h, l, c) > 0 &&
        Math.max(o, h, l, c) < Number.POSITIVE_INFINITY &&
        volume[i]! >= 0 &&
        h >= Math.max(o, c, l) * (1 - RELATIVE_TOLERANCE) &&
        l <= Math.min(o, c) * (1 + RELATIVE_TOLERANCE);
      return !valid;
    });
    if (rows.length === 0) return PASS;
    const message =
      `${counted(rows.length, 'bar')} with impossible prices or volume: ${timesOf(bars, rows)} ` +
      '(high below open or close, low above them, a price <= 0, a negative volume, not a number)';
    return {
      findings: [findingAt(bars, rows, { rule: 'ohlc', severity: 'block', message })],
      shares: { broken: rows.length / bars.openTime.length },
    };
  },
});
