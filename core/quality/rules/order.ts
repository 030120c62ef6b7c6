import { counted, defineRule, findingAt, PASS, rowsWhere, timesOf } from '../rule.ts';

export const order = defineRule({
  name: 'order',
  docs: 'Bars stand in order of time and each open time occurs once.',
  threshold: 'any row that is not later than the row before it',
  severity: 'block',
  check: ({ bars }) => {
    const rows = rowsWhere(bars, (i) => i > 0 && !(bars.openTime[i]! > bars.openTime[i - 1]!));
    if (rows.length === 0) return PASS;
    const duplicates = rows.filter((i) => bars.openTime[i] === bars.openTime[i - 1]).length;
    const message =
      `${counted(rows.length, 'bar')} (${timesOf(bars, rows)}) not later than the bar before, ` +
      `${duplicates} of them duplicates; sort the file and remove the duplicates`;
    return {
      findings: [findingAt(bars, rows, { rule: 'order', severity: 'block', message })],
      shares: { broken: rows.length / bars.openTime.length },
    };
  },
});
