import { lowerBound } from '../../bars/build.ts';
import type { Bars } from '../../bars/bars.ts';
import type { QualityFinding } from '../report.ts';
import { counted, defineRule, findingAt, timesOf } from '../rule.ts';

/** Share of a jump that the next return undoes, from which on it looks like a bad print. */
const MIN_CANCELLED = 0.8;
/** A second source contradicts when it shows less than this share of the jump. */
const MAX_CONFIRMED = 0.5;

export const spikeRevert = defineRule({
  name: 'spike-revert',
  docs: 'A jump that the next bar takes back may be a bad print; it may be a true spike as well, so only a second source of the same instrument decides.',
  threshold: `a jump of which the next return cancels ${MIN_CANCELLED * 100} % or more`,
  severity: 'warn; block where a second source of the same instrument does not show it',
  check: ({ bars, jumps, returns, second }) => {
    const spikes = jumps.filter(
      (i) =>
        i + 1 < returns.length &&
        Math.abs(returns[i]! + returns[i + 1]!) <= (1 - MIN_CANCELLED) * Math.abs(returns[i]!),
    );
    const refuted = spikes.filter((i) => second && contradicts(second, bars, i, returns[i]!));
    const open = spikes.filter((i) => !refuted.includes(i));
    const findings: QualityFinding[] = [];
    if (refuted.length > 0) {
      const message = `${counted(refuted.length, 'spike')} that a second source does not show (${timesOf(bars, refuted)}): bad prints`;
      findings.push(findingAt(bars, refuted, { rule: 'spike-revert', severity: 'block', message }));
    }
    if (open.length > 0) {
      const message = `${counted(open.length, 'jump')} taken back by the next bar (${timesOf(bars, open)}): bad prints or true spikes`;
      findings.push(findingAt(bars, open, { rule: 'spike-revert', severity: 'warn', message }));
    }
    return { findings };
  },
});

function contradicts(second: Bars, bars: Bars, i: number, jumped: number): boolean {
  const at = lowerBound(second.openTime, bars.openTime[i]!);
  if (at === 0 || second.openTime[at] !== bars.openTime[i]) return false;
  if (second.openTime[at - 1] !== bars.openTime[i - 1]) return false;
  const seen = Math.log(second.close[at]! / second.close[at - 1]!);
  return seen / jumped < MAX_CONFIRMED;
}
