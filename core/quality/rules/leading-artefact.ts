import type { Bars } from '../../bars/bars.ts';
import type { Calendar } from '../../calendar/calendar.ts';
import { defineRule, findingAt, PASS } from '../rule.ts';

const HEAD_ROWS = 48;

/**
 * How many rows at the start are launch artefacts of a market that never closes: within the first 48
 * rows everything up to the last bar with volume 0 or high = low. 0 elsewhere.
 */
export function leadingArtefactRows(bars: Bars, calendar: Calendar): number {
  if (!calendar.alwaysOpen) return 0;
  let rows = 0;
  for (let i = 0; i < Math.min(HEAD_ROWS, bars.openTime.length); i++) {
    if (bars.volume[i] === 0 || bars.high[i] === bars.low[i]) rows = i + 1;
  }
  return rows;
}

export const leadingArtefact = defineRule({
  name: 'leading-artefact',
  docs: 'The first hours after a market opened (24x7) hold no test trades. They are trimmed, the other rules see the rest.',
  threshold: `within the first ${HEAD_ROWS} rows everything up to the last bar with volume 0 or high = low`,
  severity: 'warn',
  check: ({ untrimmed: bars, calendar }) => {
    const rows = leadingArtefactRows(bars, calendar);
    if (rows === 0) return PASS;
    const message = `the first ${rows} bars are launch artefacts (no trade or one price) and are trimmed`;
    const head = Array.from({ length: rows }, (_, i) => i);
    return {
      findings: [findingAt(bars, head, { rule: 'leading-artefact', severity: 'warn', message })],
    };
  },
});
