import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { isoTime } from '../calendar/day.ts';
import { MAX_FINDING_ROWS, type QualityFinding } from './report.ts';

/** What rules may use beside the bars themselves; all optional. */
export interface QualityContext {
  /** Now (ms UTC): only for sources that are still delivering; absent: no rule looks at the clock. */
  readonly now?: number;
  /** When the newest bar arrived (ms UTC); absent: the provisional rule judges by volume. */
  readonly arrivedAt?: number;
  /** Other instruments on the same timeframe: hours of trading, copied columns. */
  readonly references?: readonly Bars[];
  /** The same instrument from a second source: it may contradict a spike. */
  readonly second?: Bars;
  /** The same instrument and source as it was delivered before: overlap of a top-up. */
  readonly previous?: Bars;
}

export interface RuleInput extends QualityContext {
  readonly bars: Bars;
  /** The bars as they came, launch artefacts included. */
  readonly untrimmed: Bars;
  readonly calendar: Calendar;
  /** Log returns of the close, NaN at 0. */
  readonly returns: Float64Array;
  /** Rows that the jump rule found (computed once, other rules build on it). */
  readonly jumps: Int32Array;
}

/** Shares (0..1) of bars that enter the score. */
export interface DefectShares {
  readonly missing: number;
  readonly flat: number;
  readonly zeroVolume: number;
  /** Duplicates and OHLC errors. */
  readonly broken: number;
}

export interface RuleResult {
  readonly findings: readonly QualityFinding[];
  readonly shares?: Partial<DefectShares>;
}

/** One thing that can be wrong with bars. Text fields make docs/quality.md. */
export interface QualityRule {
  readonly name: string;
  readonly docs: string;
  readonly threshold: string;
  readonly severity: string;
  check(input: RuleInput): RuleResult;
}

export const defineRule = (rule: QualityRule): QualityRule => Object.freeze(rule);

export const PASS: RuleResult = Object.freeze({ findings: [] });

/** A finding about rows by position; at most MAX_FINDING_ROWS are written out. */
export function findingAt(
  bars: Bars,
  rows: ArrayLike<number>,
  finding: Pick<QualityFinding, 'rule' | 'severity' | 'message'>,
): QualityFinding {
  return {
    ...finding,
    count: rows.length,
    rows: Array.from(rows)
      .slice(0, MAX_FINDING_ROWS)
      .map((row) => isoTime(bars.openTime[row]!)),
  };
}

/** `1 bar`, `3 bars`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Rows that a sentence names. */
const NAMED_ROWS = 3;

/** When, for a sentence: `2014-04-03`, or `2008-10-13, 2011-08-08, 2015-08-24 and 4 more`. */
export function timesOf(bars: Bars, rows: ArrayLike<number>): string {
  const named = Array.from(rows).slice(0, NAMED_ROWS);
  const times = named.map((row) => isoTime(bars.openTime[row]!)).join(', ');
  const more = rows.length - named.length;
  return more === 0 ? times : `${times} and ${more} more`;
}

/** Positions of the bars for which the test holds. */
export function rowsWhere(bars: Bars, test: (i: number) => boolean): Int32Array {
  const rows: number[] = [];
  for (let i = 0; i < barCount(bars); i++) if (test(i)) rows.push(i);
  return Int32Array.from(rows);
}

export interface Run {
  readonly from: number;
  readonly length: number;
}

/** Stretches of consecutive positions that are at least `min` long. */
export function runsOf(rows: Int32Array, min: number): Run[] {
  const runs: Run[] = [];
  for (let i = 0; i < rows.length;) {
    let j = i + 1;
    while (j < rows.length && rows[j] === rows[j - 1]! + 1) j++;
    if (j - i >= min) runs.push({ from: rows[i]!, length: j - i });
    i = j;
  }
  return runs;
}

export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
