import type { Kernel } from './kernel.ts';
import { columnMemory, columnMemoryIfAny, ROW_BYTES } from '../wasm.ts';

/** Runs a formula over the rows `from`..`to - 1`, each column read `lag` rows before. */
export type Run = (
  lags: readonly number[],
  numbers: readonly number[],
  from: number,
  to: number,
) => void;

/** Rows that are brought at once to where a formula can read them. */
const BROUGHT_ROWS = 512;
/**
 * Taken while there is address space: it is what is left where memories of columns cannot be had.
 */
let scratch = columnMemoryIfAny(32 * BROUGHT_ROWS * ROW_BYTES);

/** Runs a formula over copies of rows of columns that lie anywhere. */
export function elsewhere(
  formula: Kernel,
  out: Float64Array,
  columns: readonly Float64Array[],
): Run {
  scratch ??= columnMemory(32 * BROUGHT_ROWS * ROW_BYTES);
  const { buffer } = scratch;
  const { reach } = formula;
  const run = formula.over(scratch);
  const slots = [out, ...columns].map(
    (_, i) => new Float64Array(buffer, i * BROUGHT_ROWS * ROW_BYTES, BROUGHT_ROWS),
  );
  const addresses = slots.map(({ byteOffset }, i) => byteOffset + (i > 0 ? reach * ROW_BYTES : 0));
  return (lags, numbers, from, to) => {
    for (let at = from; at < to; at += BROUGHT_ROWS - reach) {
      const rows = Math.min(BROUGHT_ROWS - reach, to - at);
      columns.forEach((column, i) => {
        const end = at - lags[i]! + rows;
        slots[i + 1]!.set(column.subarray(end - rows - reach, end));
      });
      run(...addresses, ...numbers, 0, rows);
      out.set(slots[0]!.subarray(0, rows), at);
    }
  };
}
