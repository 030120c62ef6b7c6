import type { BarPositions } from './positions.ts';

/** Row of the last anchor at or before `row - memory`; row 0 (the first bar) if there is none. */
export function anchorRow(
  { anchors }: Pick<BarPositions, 'anchors'>,
  row: number,
  memory: number,
): number {
  const count = anchorsThrough(anchors, row - memory);
  return count === 0 ? 0 : anchors[count - 1]!;
}

/** How many anchors lie at or before a row. */
export function anchorsThrough(anchors: readonly number[], row: number): number {
  let low = 0;
  let high = anchors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (anchors[middle]! <= row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Calls `run(start, from, to)` for stretches of rows so that each row in `from`..`to - 1` is
 * computed by a recursion that begins at `start`, the anchor that belongs to it. A stretch either
 * goes on where the one before it ended, with the same start, or has a new start.
 */
export function eachRun(
  positions: BarPositions,
  memory: number,
  run: (start: number, from: number, to: number) => void,
): void {
  const { anchors } = positions;
  positions.run((first, end) => {
    let from = first;
    let count = anchorsThrough(anchors, first - memory);
    while (from < end) {
      const start = count === 0 ? 0 : anchors[count - 1]!;
      // The next anchor takes over once it is `memory` rows old.
      const to = count < anchors.length ? Math.min(end, anchors[count]! + memory) : end;
      run(start, from, to);
      from = to;
      count++;
    }
  });
}
