import { isoTime } from '../../calendar/day.ts';
import { counted, defineRule, findingAt, PASS, rowsWhere, runsOf } from '../rule.ts';

const MIN_RUN = 5;

export const flat = defineRule({
  name: 'flat',
  docs: 'Bars have a range: where high = low and open = close for days, only closes were recorded.',
  threshold: `a run of ${MIN_RUN} or more bars with high = low and open = close`,
  severity: 'block; single ones lower the score',
  check: ({ bars }) => {
    const { open, high, low, close, openTime } = bars;
    const rows = rowsWhere(bars, (i) => high[i] === low[i] && open[i] === close[i]);
    if (rows.length === 0) return PASS;
    const shares = { flat: rows.length / openTime.length };
    const runs = runsOf(rows, MIN_RUN);
    const last = runs.at(-1);
    if (!last) return { findings: [], shares };
    const next = openTime[last.from + last.length];
    const inRuns = runs.flatMap((r) => Array.from({ length: r.length }, (_, i) => r.from + i));
    const message =
      `${rows.length} flat bars (one price for open, high, low and close) in ${counted(runs.length, 'run')} ` +
      `of ${MIN_RUN} or more; ` +
      (next === undefined ? 'they last to the end' : `set from: ${isoTime(next)} or later`);
    return {
      findings: [findingAt(bars, inRuns, { rule: 'flat', severity: 'block', message })],
      shares,
    };
  },
});
