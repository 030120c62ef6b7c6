import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { isoTime } from '../calendar/day.ts';
import { qualityRules } from './catalogue.ts';
import type { QualityFinding, QualityReport } from './report.ts';
import type { DefectShares, QualityContext, RuleInput } from './rule.ts';
import { jumpRows } from './rules/jump.ts';
import { leadingArtefactRows } from './rules/leading-artefact.ts';
import { closeReturns } from './statistics.ts';

export interface QualityOptions extends QualityContext {
  /** 0..1, default 0.9. */
  readonly minScore?: number;
  /** Warnings fail too; default false. */
  readonly strict?: boolean;
  /** What was found before these bars were put together, e.g. rows trimmed at collection. */
  readonly earlier?: readonly QualityFinding[];
}

/**
 * Score of a series, 1 = nothing wrong. STATISTICS 6:
 * max(0, 1 - .3 min(1, missing/1 %) - .2 min(1, flat/2 %) - .2 min(1, zeroVolume/1 %)
 *          - .3 min(1, duplicates or OHLC errors/.1 %)).
 */
export function qualityScore(shares: DefectShares): number {
  return Math.max(
    0,
    1 -
      0.3 * Math.min(1, shares.missing / 0.01) -
      0.2 * Math.min(1, shares.flat / 0.02) -
      0.2 * Math.min(1, shares.zeroVolume / 0.01) -
      0.3 * Math.min(1, shares.broken / 0.001),
  );
}

/**
 * Runs every rule of the catalogue over the bars (unfilled, adjusted) of one instrument.
 * Passes with score >= minScore and no blocking finding; `strict`: no warning either. No bars: fails.
 */
export function assessQuality(
  bars: Bars,
  calendar: Calendar,
  options: QualityOptions = {},
): QualityReport {
  const { minScore = 0.9, strict = false, earlier = [], ...context } = options;
  if (barCount(bars) === 0) return emptyReport(bars, minScore, strict);
  const trimmed = leadingArtefactRows(bars, calendar);
  const rest = trimmed === 0 ? bars : sliceBars(bars, trimmed);
  const findings = [...earlier];
  const shares = { missing: 0, flat: 0, zeroVolume: 0, broken: 0 };
  const input = ruleInput(rest, bars, calendar, context);
  for (const rule of qualityRules) {
    const result = rule.check(input);
    findings.push(...result.findings);
    for (const [name, share] of Object.entries(result.shares ?? {})) {
      shares[name as keyof DefectShares] += share;
    }
  }
  const score = qualityScore(shares);
  return {
    instrument: bars.instrument,
    rows: barCount(rest),
    firstBar: barCount(rest) > 0 ? isoTime(rest.openTime[0]!) : '',
    lastBar: barCount(rest) > 0 ? isoTime(rest.openTime[barCount(rest) - 1]!) : '',
    score,
    minScore,
    strict,
    passed: score >= minScore && !findings.some((f) => f.severity === 'block' || strict),
    findings,
  };
}

function ruleInput(
  bars: Bars,
  untrimmed: Bars,
  calendar: Calendar,
  context: QualityContext,
): RuleInput {
  const returns = closeReturns(bars);
  return {
    ...context,
    bars,
    untrimmed,
    calendar,
    returns,
    jumps: jumpRows(returns, bars.timeframe),
  };
}

function emptyReport(bars: Bars, minScore: number, strict: boolean): QualityReport {
  const message = `there are no bars of ${bars.instrument}`;
  return {
    instrument: bars.instrument,
    rows: 0,
    firstBar: '',
    lastBar: '',
    score: 0,
    minScore,
    strict,
    passed: false,
    findings: [{ rule: 'missing', severity: 'block', message, count: 0, rows: [] }],
  };
}

/** Why a report failed, in one sentence; undefined where it passed. */
export function failureReason(report: QualityReport): string | undefined {
  if (report.passed) return undefined;
  const stops = report.findings.filter((f) => f.severity === 'block' || report.strict);
  const parts = stops.map((f) => `${f.rule}: ${f.message}`);
  if (report.score < report.minScore) {
    parts.push(`score ${report.score.toFixed(3)} is below ${report.minScore}`);
  }
  return `${report.instrument}: ${parts.join('; ')}`;
}
