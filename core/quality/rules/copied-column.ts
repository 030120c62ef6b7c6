import { lowerBound } from '../../bars/build.ts';
import { defineRule, findingAt, PASS, rowsWhere } from '../rule.ts';

export const copiedColumn = defineRule({
  name: 'copied-column',
  docs: "A vendor's slip puts one instrument's volume into another's row.",
  threshold: 'indices and stocks: equal non-zero volume of two instruments on the same bar',
  severity: 'warn',
  check: ({ bars, calendar, references }) => {
    if (calendar.alwaysOpen) return PASS;
    const findings = (references ?? []).flatMap((other) => {
      const rows = rowsWhere(bars, (i) => {
        if (!(bars.volume[i]! > 0)) return false;
        const at = lowerBound(other.openTime, bars.openTime[i]!);
        return other.openTime[at] === bars.openTime[i] && other.volume[at] === bars.volume[i];
      });
      if (rows.length === 0) return [];
      const message = `${rows.length} bars have exactly the volume of ${other.instrument}: one of the two is a copy`;
      return [findingAt(bars, rows, { rule: 'copied-column', severity: 'warn', message })];
    });
    return { findings };
  },
});
