import { defineRule, findingAt, PASS } from '../rule.ts';

const MAX_SHARE = 0.3;
/** A year with fewer bars says nothing about its habit. */
const MIN_BARS = 20;

export const openEqualsClose = defineRule({
  name: 'open-equals-close',
  docs: 'The open is not a copy of the previous close; where it is, gap features are blind and yang_zhang volatility is biased.',
  threshold: `in a calendar year more than ${MAX_SHARE * 100} % of the opens equal the previous close`,
  severity: 'warn',
  check: ({ bars, calendar }) => {
    // Where trading never stops, the next open is the last price: that is how it should be.
    if (calendar.alwaysOpen) return PASS;
    const years = new Map<number, { bars: number; equal: number[] }>();
    for (let i = 1; i < bars.openTime.length; i++) {
      const year = new Date(bars.openTime[i]!).getUTCFullYear();
      let entry = years.get(year);
      if (!entry) years.set(year, (entry = { bars: 0, equal: [] }));
      entry.bars++;
      if (bars.open[i] === bars.close[i - 1]) entry.equal.push(i);
    }
    const bad = [...years].filter(
      ([, y]) => y.bars >= MIN_BARS && y.equal.length / y.bars > MAX_SHARE,
    );
    if (bad.length === 0) return PASS;
    const message =
      `in ${bad.length} years (${bad[0]![0]}..${bad.at(-1)![0]}) more than ${MAX_SHARE * 100} % ` +
      'of the opens equal the previous close; gap features say nothing there';
    const rows = bad.flatMap(([, y]) => y.equal);
    return {
      findings: [findingAt(bars, rows, { rule: 'open-equals-close', severity: 'warn', message })],
    };
  },
});
