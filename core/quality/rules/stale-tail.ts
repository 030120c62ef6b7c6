import { defineRule, findingAt, PASS } from '../rule.ts';

const MAX_BARS_BEHIND = 3;

export const staleTail = defineRule({
  name: 'stale-tail',
  docs: 'A source that is still delivering is up to date.',
  threshold: `last bar more than ${MAX_BARS_BEHIND} closed bars (sessions, hours) behind the clock`,
  severity: 'warn',
  check: ({ bars, calendar, now }) => {
    const last = bars.openTime.length - 1;
    if (now === undefined || last < 0) return PASS;
    const { timeframe } = bars;
    let newest = calendar.indexOf(now, timeframe);
    // The bar at the clock may still be open.
    if (calendar.closeTime(calendar.openTimeAt(newest, timeframe), timeframe) > now) newest--;
    const behind = newest - calendar.indexOf(bars.openTime[last]!, timeframe);
    if (behind <= MAX_BARS_BEHIND) return PASS;
    const message = `the last bar is ${behind} bars behind the calendar`;
    return {
      findings: [findingAt(bars, [last], { rule: 'stale-tail', severity: 'warn', message })],
    };
  },
});
