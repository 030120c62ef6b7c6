import { TIMEFRAME_MS } from '../../bars/bars.ts';
import { DAY_MS, isoTime } from '../../calendar/day.ts';
import type { QualityFinding } from '../report.ts';
import { defineRule, findingAt, PASS, percent, rowsWhere } from '../rule.ts';

const MAX_MISSING_SHARE = 0.01;
const HOUR_MS = 3_600_000;
/** Time between two bars above which a hole is reported: exchanges close for a week, markets that never close do not. */
const HOLES = {
  sessions: { warnMs: 7 * DAY_MS, blockMs: 14 * DAY_MS, unit: DAY_MS, word: 'days' },
  always: { warnMs: 12 * HOUR_MS, blockMs: 48 * HOUR_MS, unit: HOUR_MS, word: 'hours' },
};

export const missing = defineRule({
  name: 'missing',
  docs: 'The bars that the calendar expects between the first and the last one are there.',
  threshold:
    'more than 1 % of the expected bars missing; a hole of more than 7 days (24x7: 12 h); of more ' +
    'than 14 days (24x7: 48 h); bars at times at which the calendar has none',
  severity: 'block (share, long hole), warn (hole, bars outside the calendar)',
  check: ({ bars, calendar }) => {
    const n = bars.openTime.length;
    if (n < 2) return PASS;
    const { timeframe, openTime } = bars;
    const expected = calendar.between(openTime[0]!, openTime[n - 1]!, timeframe);
    const present = new Set(openTime);
    const absent = expected.filter((time) => !present.has(time));
    const share = absent.length / Math.max(1, expected.length);
    const findings: QualityFinding[] = [];
    if (share > MAX_MISSING_SHARE) {
      findings.push({
        ...findingAt(
          { ...bars, openTime: absent },
          absent.map((_, i) => i),
          {
            rule: 'missing',
            severity: 'block',
            message:
              `${absent.length} of ${expected.length} bars of the ${calendar.name} calendar are ` +
              `missing (${percent(share)}, allowed: 1 %)`,
          },
        ),
      });
    }
    const limits = calendar.alwaysOpen ? HOLES.always : HOLES.sessions;
    // Sessions are counted from bar to bar, closed days included; hours by those that are missing.
    const least = calendar.alwaysOpen ? TIMEFRAME_MS[timeframe] : 0;
    const hole = (i: number): number => openTime[i]! - openTime[i - 1]! - least;
    for (const severity of ['block', 'warn'] as const) {
      const over = severity === 'block' ? limits.blockMs : limits.warnMs;
      const until = severity === 'block' ? Number.POSITIVE_INFINITY : limits.blockMs;
      const holes = rowsWhere(bars, (i) => i > 0 && hole(i) > over && hole(i) <= until);
      if (holes.length === 0) continue;
      const longest = holes.reduce((a, b) => (hole(b) > hole(a) ? b : a));
      const length = Math.round(hole(longest) / limits.unit);
      const message =
        `${holes.length} holes of more than ${over / limits.unit} ${limits.word}, the longest ` +
        `${length} ${limits.word} before ${isoTime(openTime[longest]!)}`;
      findings.push(findingAt(bars, holes, { rule: 'missing', severity, message }));
    }
    const outside = rowsWhere(bars, (i) => !calendar.isOpen(openTime[i]!, timeframe));
    if (outside.length > 0) {
      const message = `${outside.length} bars at times at which the ${calendar.name} calendar has none; is it the right calendar?`;
      findings.push(findingAt(bars, outside, { rule: 'missing', severity: 'warn', message }));
    }
    return { findings, shares: { missing: share } };
  },
});
