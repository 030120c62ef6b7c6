import { lowerBound } from '../../bars/build.ts';
import type { Bars } from '../../bars/bars.ts';
import { defineRule, findingAt, PASS, type RuleResult } from '../rule.ts';
import { median, quantile } from '../statistics.ts';

/** A top-up refetches at least this many old bars: a small rescaling cannot be seen without them. */
export const MIN_OVERLAP = 20;
const MAX_SPREAD = 1e-5;
const MIN_RATIO = 1e-4;

export interface VintageComparison {
  /**
   * `same`: the old prices; `rescaled`: one constant ratio; `conflict`: the ratio steps inside the
   * overlap; `tooShort`: fewer than MIN_OVERLAP common bars.
   */
  readonly kind: 'same' | 'rescaled' | 'conflict' | 'tooShort';
  /** exp(median ln(old/new)): multiply new prices by it for old ones. */
  readonly ratio: number;
  readonly common: number;
  /** Positions in the new bars at which ln(old/new) steps by more than 1e-4. */
  readonly steps: Int32Array;
}

/** How an earlier delivery of the same series compares with a later one, on their common bars. */
export function compareVintages(old: Bars, now: Bars): VintageComparison {
  const logs: number[] = [];
  const rows: number[] = [];
  for (let i = 0; i < now.openTime.length; i++) {
    const at = lowerBound(old.openTime, now.openTime[i]!);
    if (old.openTime[at] !== now.openTime[i]) continue;
    logs.push(Math.log(old.close[at]! / now.close[i]!));
    rows.push(i);
  }
  const steps = Int32Array.from(
    rows.filter((_, i) => i > 0 && Math.abs(logs[i]! - logs[i - 1]!) > MIN_RATIO),
  );
  const common = logs.length;
  if (common < MIN_OVERLAP) return { kind: 'tooShort', ratio: 1, common, steps };
  const middle = median(logs);
  const spread = quantile(logs, 0.75) - quantile(logs, 0.25);
  const ratio = Math.exp(middle);
  if (steps.length > 0 || spread > MAX_SPREAD) return { kind: 'conflict', ratio, common, steps };
  return { kind: Math.abs(middle) > MIN_RATIO ? 'rescaled' : 'same', ratio, common, steps };
}

export const vintageSplice = defineRule({
  name: 'vintage-splice',
  docs: 'Old and newly delivered bars of one source are on one scale: vendors rescale all history after each dividend or split, and bars appended to an older delivery then jump.',
  threshold: `over >= ${MIN_OVERLAP} common bars, q = ln(old / new close): interquartile range <= 1e-5 and abs(median) > 1e-4 (rescaled); a step > 1e-4 inside (conflict)`,
  severity: 'block',
  check: ({ bars, previous }) => {
    if (!previous || previous.openTime.length === 0) return PASS;
    const { kind, ratio, common, steps } = compareVintages(previous, bars);
    const last = bars.openTime.length - 1;
    const block = (message: string, rows: ArrayLike<number>): RuleResult => ({
      findings: [findingAt(bars, rows, { rule: 'vintage-splice', severity: 'block', message })],
    });
    switch (kind) {
      case 'same':
        return PASS;
      case 'tooShort':
        return block(
          `only ${common} bars in common with the earlier delivery (${MIN_OVERLAP} needed to see a rescaling); collect the whole history again`,
          last >= 0 ? [0] : [],
        );
      case 'rescaled':
        return block(
          `the source rescaled its history (old prices = ${ratio.toFixed(6)} x new ones over ${common} bars): collect the whole history again, never append`,
          [0],
        );
      case 'conflict':
        return block(
          `two deliveries disagree: the ratio of their prices steps ${steps.length} times in ${common} common bars; they are adjusted differently, compare returns and never mix levels`,
          steps,
        );
    }
  },
});
