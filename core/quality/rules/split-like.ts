import { isoTime } from '../../calendar/day.ts';
import { counted, defineRule, findingAt, PASS, rowsWhere, timesOf } from '../rule.ts';
import { median } from '../statistics.ts';

const MIN_MOVE = 0.35;
const RATIOS = [
  ...[2, 3, 4, 5, 6, 7, 8, 10, 15, 20].map((n) => 1 / n),
  2 / 3,
  3 / 2,
  ...[2, 3, 4, 5, 8, 10],
].map(Math.log);
const MAX_DISTANCE = 0.03;
const VOLUME_BARS = 20;
/** In a split volume grows as the price falls, so volume x ratio stays; in a crash it explodes. */
const MAX_VOLUME_FACTOR = 3;

export const splitLike = defineRule({
  name: 'split-like',
  docs: 'No split shows as a price jump: declare the factor file (or let the source adjust), or begin after it.',
  threshold:
    'abs(ln(open / previous close)) > 0.35, within 0.03 of ln of a ratio that splits have (1/2..1/8, ' +
    '1/10, 1/15, 1/20, 2/3, 3/2, 2, 3, 4, 5, 8, 10), and volume / median of 20 x ratio within 1/3..3',
  severity: 'block',
  check: ({ bars }) => {
    const { open, close, volume } = bars;
    const rows = rowsWhere(bars, (i) => {
      if (i === 0) return false;
      const move = Math.log(open[i]! / close[i - 1]!);
      if (!(Math.abs(move) > MIN_MOVE)) return false;
      if (!RATIOS.some((ratio) => Math.abs(move - ratio) < MAX_DISTANCE)) return false;
      const usual = median(volume.subarray(Math.max(0, i - VOLUME_BARS), i));
      const kept = (volume[i]! / usual) * Math.exp(move);
      return kept >= 1 / MAX_VOLUME_FACTOR && kept <= MAX_VOLUME_FACTOR;
    });
    if (rows.length === 0) return PASS;
    const message =
      `${counted(rows.length, 'overnight move')} like a share split without a factor ` +
      `(${timesOf(bars, rows)}); give the factor file in the profile, or set from: ` +
      `${isoTime(bars.openTime[rows.at(-1)!]!)} or later`;
    return {
      findings: [findingAt(bars, rows, { rule: 'split-like', severity: 'block', message })],
    };
  },
});
