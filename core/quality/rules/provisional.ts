import { CLOSE_GRACE_MS } from '../../bars/provisional.ts';
import type { Timeframe } from '../../bars/bars.ts';
import { isoTime } from '../../calendar/day.ts';
import { defineRule, findingAt, PASS, type RuleResult } from '../rule.ts';
import { median } from '../statistics.ts';

const BY_VOLUME: Readonly<Record<Timeframe, { readonly share: number; readonly bars: number }>> = {
  '1d': { share: 0.25, bars: 20 },
  '1h': { share: 0.05, bars: 24 },
};

export const provisional = defineRule({
  name: 'provisional',
  docs: 'The last bar is closed. A bar fetched while it trades has a preliminary close and a part of its volume.',
  threshold:
    'arrived before close + grace (daily 30 min, hourly 60 s): collection drops it; without arrival ' +
    'times: last volume < 0.25 x median of 20 (daily), < 0.05 x median of 24 (hourly)',
  severity: 'warn',
  check: ({ bars, calendar, arrivedAt }) => {
    const last = bars.openTime.length - 1;
    if (last < 0) return PASS;
    const { timeframe, openTime, volume } = bars;
    const found = (message: string): RuleResult => ({
      findings: [findingAt(bars, [last], { rule: 'provisional', severity: 'warn', message })],
    });
    if (arrivedAt !== undefined) {
      const closes = calendar.closeTime(openTime[last]!, timeframe);
      if (arrivedAt >= closes + CLOSE_GRACE_MS[timeframe]) return PASS;
      return found(
        `the last bar arrived ${isoTime(arrivedAt)}, before it closed (${isoTime(closes)}): drop it`,
      );
    }
    const { share, bars: window } = BY_VOLUME[timeframe];
    if (last < window) return PASS;
    const usual = median(volume.subarray(last - window, last));
    if (!(volume[last]! < share * usual)) return PASS;
    return found(
      `the last bar has ${((volume[last]! / usual) * 100).toFixed(0)} % of the usual volume: ` +
        'it may not be closed (half days look like this too)',
    );
  },
});
