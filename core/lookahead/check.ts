import { sliceBars, type Bars } from '../bars/bars.ts';
import { columnsOf } from './columns.ts';
import { lookaheadOf, type ChangedColumn } from './lookahead.ts';
import type { DeclaredColumn, Subject } from './subject.ts';
import { warmupOf } from './warmup.ts';

/** SDs of a column by which bars older than its memory may move it (core/indicators). */
const MEMORY_SDS = 1e-5;
/**
 * SDs from which a memory is called too small. How far a recursion starts from where it will be depends on how stormy the
 * bars are: in 3 of 36 seeded worlds `adx` is a little more than 1e-5 off after its memory, no column beyond 3e-5.
 */
const TOO_MUCH_SDS = 3e-5;

export interface LookaheadCheck {
  /** Columns that read bars they cannot know. */
  readonly changed: readonly ChangedColumn[];
  /** Columns without a value at any bar that was compared: nothing is known of them. */
  readonly unchecked: readonly string[];
}

/** Asks every column of a subject at each of `cuts` (see `lookaheadOf`), by none and by other later bars. */
export function checkLookahead(
  subject: Subject,
  bars: Bars,
  cuts: readonly number[],
): LookaheadCheck {
  const ahead = new Map(subject.columns.map(({ name, aheadBars }) => [name, aheadBars]));
  const aheadBars = (column: string): number => ahead.get(column) ?? 0;
  const changed = lookaheadOf(subject.of, bars, cuts, { aheadBars, otherFutures: true });
  const last = Math.max(0, ...cuts);
  const unchecked = Object.entries(columnsOf(subject.of, bars)).flatMap(([column, values]) =>
    values.subarray(0, Math.max(0, last - aheadBars(column))).every(Number.isNaN) ? [column] : [],
  );
  return { changed, unchecked };
}

/** What a column declares beside what was measured; null: there was no end to it within these bars. */
export interface MeasuredColumn {
  readonly column: string;
  readonly declared: { readonly warmupBars: number; readonly memoryBars: number };
  readonly measured: {
    /** Bars without a value at the start of a history. */
    readonly warmupBars: number | null;
    /** Bars before a row after which its value no longer depended on older ones. */
    readonly memoryBars: number | null;
    /** Of anchored columns: the same without anchors, until it is within 1e-5 SDs of the column. */
    readonly settlesBars?: number | null;
  };
  /** It never had a value: nothing is known of it. */
  readonly unchecked: boolean;
  /** What is declared too small. */
  readonly understated: readonly ('warmupBars' | 'memoryBars')[];
}

/** Rows that histories begin at: `anchors` for columns that begin at anchors, `others` for those that do not. */
export interface Starts {
  readonly anchors: readonly number[];
  readonly others: readonly number[];
}

/**
 * Measures how long every column of a subject warms up and remembers, and compares with what it declares. Columns that
 * begin at anchors are measured from anchors (there their memory is exact) and, where that can be asked for, without any.
 */
export function checkWarmup(
  subject: Subject,
  bars: Bars,
  { anchors, others }: Starts,
  { tolerance = 0 }: { readonly tolerance?: number } = {},
): readonly MeasuredColumn[] {
  const measure = (starts: readonly number[]) => ({
    history: warmupOf(subject.of, bars, starts, { tolerance }),
    warming: warmingOf(subject, bars, starts),
  });
  const isAnchored = subject.columns.some(({ anchored }) => anchored);
  const fromAnchors = isAnchored ? measure(anchors) : undefined;
  const fromOthers = subject.columns.every(({ anchored }) => anchored)
    ? undefined
    : measure(others);
  const settling = (sds: number): Readonly<Record<string, number | null>> =>
    isAnchored && subject.withoutAnchors
      ? warmupOf(subject.withoutAnchors, bars, others, { tolerance: 0, sds })
      : {};
  const settled = settling(MEMORY_SDS);
  const nearlySettled = settling(TOO_MUCH_SDS);
  return subject.columns.map((column) => {
    const { history, warming } = (column.anchored ? fromAnchors : fromOthers)!;
    const measured = {
      warmupBars: warming[column.name] ?? null,
      memoryBars: before(history[column.name]),
    };
    if (!column.anchored || !(column.name in settled)) return judged(column, measured);
    const settlesBars = before(settled[column.name]);
    return judged(column, { ...measured, settlesBars }, before(nearlySettled[column.name]));
  });
}

/** Bars before the bar itself. */
const before = (history: number | null | undefined): number | null =>
  history === null || history === undefined ? null : history - 1;

function judged(
  { name, warmupBars, memoryBars }: DeclaredColumn,
  measured: MeasuredColumn['measured'],
  settles: number | null = 0,
): MeasuredColumn {
  const unchecked = measured.warmupBars === null;
  const exceeds = (value: number | null, declared: number): boolean =>
    value === null || value > declared;
  const understated = [
    ...(exceeds(measured.warmupBars, warmupBars) ? (['warmupBars'] as const) : []),
    ...(exceeds(measured.memoryBars, memoryBars) || exceeds(settles, memoryBars)
      ? (['memoryBars'] as const)
      : []),
  ];
  const declared = { warmupBars, memoryBars };
  return { column: name, declared, measured, unchecked, understated: unchecked ? [] : understated };
}

/** By column: leading bars of a history without a value where the whole history has one; null: it never has any. */
function warmingOf(
  { of }: Subject,
  bars: Bars,
  starts: readonly number[],
): Readonly<Record<string, number | null>> {
  const whole = columnsOf(of, bars);
  const parts = starts.map((start) => ({ start, columns: columnsOf(of, sliceBars(bars, start)) }));
  const warming = ([column, values]: [string, Float64Array]): [string, number | null] => {
    if (values.every(Number.isNaN)) return [column, null];
    const counts = parts.map(({ start, columns }) => {
      const part = columns[column];
      const isMissing = (value: number, row: number): boolean =>
        !Number.isNaN(value) && Number.isNaN(part?.[row] ?? NaN);
      return values.subarray(start).findLastIndex(isMissing) + 1;
    });
    return [column, Math.max(0, ...counts)];
  };
  return Object.fromEntries(Object.entries(whole).map(warming));
}
