import type { Part, SplitInput } from './split.ts';

/** Decision times of all samples, increasing; instruments of a pool share them. */
export interface DecisionTimes {
  readonly time: readonly number[];
  /** Latest label end among the samples of that time. */
  readonly labelEnd: readonly number[];
  /** Samples' rows by time. */
  readonly rows: readonly (readonly number[])[];
}

/** Positions in `DecisionTimes` by part. */
export type FoldTimes = Readonly<Record<Part, readonly number[]>>;

export function decisionTimes(input: SplitInput): DecisionTimes {
  const rowsAt = new Map<number, number[]>();
  for (const row of input.rows) {
    const time = input.openTime[row]!;
    const rows = rowsAt.get(time);
    if (rows === undefined) rowsAt.set(time, [row]);
    else rows.push(row);
  }
  const time = [...rowsAt.keys()].sort((a, b) => a - b);
  const rows = time.map((t) => rowsAt.get(t)!.sort((a, b) => a - b));
  const labelEnd = rows.map((at) => Math.max(...at.map((row) => input.labelEnd[row]!)));
  return { time, labelEnd, rows };
}

/**
 * Positions `from` (inclusive) to `border` (exclusive) that a part may keep: `purge` decision times
 * at least lie between them and the border, and their labels end before the border's bar opens.
 */
export function keptBefore(
  times: DecisionTimes,
  from: number,
  border: number,
  purge: number,
): number[] {
  const kept: number[] = [];
  const first = times.time[border] ?? Infinity;
  for (let at = Math.max(0, from); at < border; at++) {
    if (at + purge < border && times.labelEnd[at]! < first) kept.push(at);
  }
  return kept;
}

/**
 * Positions from `border` on that may be learnt from once the positions before it were tested: `embargo` decision
 * times at least lie between, and all labels of `tested` ended by then.
 */
export function keptAfter(
  times: DecisionTimes,
  tested: readonly number[],
  border: number,
  embargo: number,
): number[] {
  const known = tested.reduce((end, at) => Math.max(end, times.labelEnd[at]!), -Infinity);
  return range(border + embargo, times.time.length).filter((at) => times.time[at]! > known);
}

/** Positions `from` (inclusive) to `to` (exclusive). */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
