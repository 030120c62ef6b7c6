import type { Timeframe } from '../../bars/bars.ts';
import { counted, defineRule, findingAt, PASS, timesOf } from '../rule.ts';
import { medianBefore } from '../statistics.ts';

const LIMITS: Readonly<Record<Timeframe, { readonly times: number; readonly window: number }>> = {
  '1d': { times: 12, window: 250 },
  '1h': { times: 25, window: 720 },
};
/** Scales a median absolute deviation to a standard deviation of normal returns. */
const MAD_TO_SD = 1.4826;
/** With fewer returns before it the median is no yardstick. */
const MIN_WINDOW = 60;
/** A market that hardly moved would make any move a jump. */
const MIN_SCALE = 1e-4;

/** Positions of returns that are extreme against the bars before them. */
export function jumpRows(returns: Float64Array, timeframe: Timeframe): Int32Array {
  const { times, window } = LIMITS[timeframe];
  const size = returns.map(Math.abs);
  const typical = medianBefore(size, window, MIN_WINDOW);
  const rows: number[] = [];
  for (let i = 0; i < size.length; i++) {
    if (size[i]! > times * Math.max(MAD_TO_SD * typical[i]!, MIN_SCALE)) rows.push(i);
  }
  return Int32Array.from(rows);
}

export const jump = defineRule({
  name: 'jump',
  docs: 'Extreme returns. They are events, not errors: crashes are real, and they never lower the score.',
  threshold:
    'abs(log return) > 12 (daily) or 25 (hourly) x 1.4826 x median abs(log return) of the 250 or 720 bars before',
  severity: 'warn',
  check: ({ bars, jumps }) => {
    if (jumps.length === 0) return PASS;
    const message = `${counted(jumps.length, 'extreme return')} (${timesOf(bars, jumps)}): real or bad prints?`;
    return { findings: [findingAt(bars, jumps, { rule: 'jump', severity: 'warn', message })] };
  },
});
