import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { assessQuality } from '../quality/assess.ts';
import type { QualityReport } from '../quality/report.ts';
import { rankOfLast, rankSums, TOP } from './ranks.ts';
import type { QualityDrift } from './schemas.ts';
import { layoutOf, MAX_WINDOWS, MIN_WINDOWS } from './windows.ts';

/**
 * Quality reports of consecutive windows of `window` bars each, oldest first, the newest bars last; at most
 * `maxWindows` earlier ones. Every window is judged as if it were a series of its own, so that they compare.
 */
export function qualityWindows(
  bars: Bars,
  calendar: Calendar,
  { window, maxWindows = MAX_WINDOWS }: { readonly window: number; readonly maxWindows?: number },
): QualityReport[] {
  const rows = barCount(bars);
  layoutOf(rows, window);
  const windows = Math.min(Math.floor(rows / window), maxWindows + 1);
  return Array.from({ length: windows }, (_, i) => {
    const from = rows - (windows - i) * window;
    return assessQuality(sliceBars(bars, from, from + window), calendar);
  });
}

/**
 * Are the newest bars worse than this instrument's usually are? The ranks of the defects (1 - score) and of the number
 * of rows with findings are summed, and the sum is ranked among earlier windows; ties count against drift, so that data
 * that are always clean, or always equally bad, never drift. `reports` from `qualityWindows`, the newest last.
 * Throws `drift.empty` without any report.
 */
export function qualityDrift(reports: readonly QualityReport[]): QualityDrift {
  const newest = reports.at(-1);
  if (!newest)
    throw new RatchetError('drift.empty', 'quality drift needs a report of the newest bars');
  const earlier = reports.slice(0, -1);
  const enough = earlier.length >= MIN_WINDOWS;
  const scores = earlier.map(({ score }) => score);
  const rules = [...new Set(newest.findings.map(({ rule }) => rule))];
  const p = enough ? rankOfLast(rankSums(defects(reports))) : null;
  return {
    verdict: p === null ? 'notEnoughHistory' : p <= TOP ? 'drift' : 'none',
    rows: newest.rows,
    firstBar: newest.firstBar,
    lastBar: newest.lastBar,
    score: newest.score,
    usualScore: meanOrNull(scores),
    earlierWindows: earlier.length,
    earlierWindowsNeeded: MIN_WINDOWS,
    p,
    findings: rules.map((rule) => {
      const mine = newest.findings.filter((finding) => finding.rule === rule);
      return {
        rule,
        severity: mine.some(({ severity }) => severity === 'block') ? 'block' : 'warn',
        rows: rowsFound(newest, rule),
        usual: meanOrNull(earlier.map((report) => rowsFound(report, rule))),
        message: mine[0]!.message,
      };
    }),
    earlierScores: scores,
  };
}

function defects(reports: readonly QualityReport[]): readonly Float64Array[] {
  return [
    Float64Array.from(reports, ({ score }) => 1 - score),
    Float64Array.from(reports, (report) => rowsFound(report)),
  ];
}

const rowsFound = ({ findings }: QualityReport, rule?: string): number =>
  findings
    .filter((finding) => rule === undefined || finding.rule === rule)
    .reduce((sum, { count }) => sum + count, 0);

const meanOrNull = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
