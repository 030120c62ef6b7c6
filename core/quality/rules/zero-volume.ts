import { isoTime } from '../../calendar/day.ts';
import { counted, defineRule, findingAt, PASS, rowsWhere, runsOf, timesOf } from '../rule.ts';

const MIN_RUN = 3;

export const zeroVolume = defineRule({
  name: 'zero-volume',
  docs: 'Bars have a volume: years without one make every volume feature meaningless.',
  threshold: `a run of ${MIN_RUN} or more bars with volume 0; single ones`,
  severity: 'block (run), warn (single)',
  check: ({ bars }) => {
    const rows = rowsWhere(bars, (i) => bars.volume[i] === 0);
    if (rows.length === 0) return PASS;
    const shares = { zeroVolume: rows.length / bars.openTime.length };
    const last = runsOf(rows, MIN_RUN).at(-1);
    if (!last) {
      const message = `${counted(rows.length, 'bar')} with volume 0 (${timesOf(bars, rows)})`;
      return {
        findings: [findingAt(bars, rows, { rule: 'zero-volume', severity: 'warn', message })],
        shares,
      };
    }
    const next = bars.openTime[last.from + last.length];
    const message =
      `${rows.length} bars have volume 0, in runs of ${MIN_RUN} or more; ` +
      (next === undefined ? 'they last to the end' : `set from: ${isoTime(next)} or later`);
    return {
      findings: [findingAt(bars, rows, { rule: 'zero-volume', severity: 'block', message })],
      shares,
    };
  },
});
