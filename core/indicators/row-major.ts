import {
  BLOCK,
  BRANCH,
  BRANCH_IF,
  type ColumnMemory,
  constant,
  END,
  GET,
  I32,
  I32_ADD,
  I32_GE_S,
  I32_GT_S,
  I32_SUB,
  loadOne,
  loadTwo,
  LOOP,
  program,
  type Program,
  ROW_BYTES,
  type RowsCall,
  rowsCalls,
  SET,
  simd,
  storeTwo,
  unsigned,
  V128,
} from '../wasm.ts';

/** Writes the rows `from`..`to - 1` of columns, row-major, from place `at` of `values` on. */
export type RowWriter = (
  rows: readonly [from: number, to: number],
  values: Float64Array,
  at: number,
) => void;

/** Pairs of columns written by one call: a cache line of each row. */
const PAIRS = 4;

/** Of two vectors, the first or the second half of both. */
const halves = (which: 0 | 1): readonly number[] => [
  ...simd(13),
  ...Array.from({ length: 16 }, (_, i) => (i < 8 ? i : i + 8) + 8 * which),
];

const programs = Array.from({ length: PAIRS }, (_, i) => pairsProgram(i + 1));

/**
 * The program that writes some pairs of columns: of the address in the first row and the columns' addresses, the bytes of a row, those
 * to the columns' first row, and the number of rows. Two rows of two columns are two vectors that change halves.
 */
function pairsProgram(pairs: number): Program {
  const pointers = Array.from({ length: 2 * pairs }, (_, i) => i + 1);
  const width = 2 * pairs + 1;
  const from = width + 1;
  const left = from + 1;
  const next = left + 1;
  const [a, b] = [next + 1, next + 2];
  const add = (to: number, ...what: readonly number[]): number[] => [
    ...[GET, ...unsigned(to), ...what, I32_ADD, SET, ...unsigned(to)],
  ];
  const loaded = (pair: number, load: readonly number[]): number[] => [
    ...[GET, ...unsigned(2 * pair + 1), ...load, SET, ...unsigned(a)],
    ...[GET, ...unsigned(2 * pair + 2), ...load, SET, ...unsigned(b)],
  ];
  const stored = (row: number, which: 0 | 1, pair: number): number[] => [
    ...[GET, ...unsigned(row), GET, ...unsigned(a), GET, ...unsigned(b), ...halves(which)],
    ...storeTwo(2 * pair * ROW_BYTES),
  ];
  const each = Array.from({ length: pairs }, (_, pair) => pair);
  const twoRows = each.flatMap((pair) => [
    ...loaded(pair, loadTwo(0)),
    ...[...stored(0, 0, pair), ...stored(next, 1, pair)],
  ]);
  const oneRow = each.flatMap((pair) => [...loaded(pair, loadOne(0)), ...stored(0, 0, pair)]);
  const params = new Array<number>(left + 1).fill(I32);
  return program(params, [
    ...[2, 1, I32, 2, V128],
    ...pointers.flatMap((pointer) => add(pointer, GET, ...unsigned(from))),
    ...[...BLOCK, ...LOOP, ...constant(2), GET, ...unsigned(left), I32_GT_S, BRANCH_IF, 1],
    ...[GET, 0, GET, ...unsigned(width), I32_ADD, SET, ...unsigned(next)],
    ...twoRows,
    ...pointers.flatMap((pointer) => add(pointer, ...constant(2 * ROW_BYTES))),
    ...[GET, ...unsigned(next), GET, ...unsigned(width), I32_ADD, SET, 0],
    ...[GET, ...unsigned(left), ...constant(2), I32_SUB, SET, ...unsigned(left)],
    ...[BRANCH, 0, END, END],
    ...[...BLOCK, ...constant(0), GET, ...unsigned(left), I32_GE_S, BRANCH_IF, 0],
    ...[...oneRow, END],
    END,
  ]);
}

/** Fewer are not worth the calls of programs. */
const FEW_ROWS = 3;

/** A writer of columns in a memory by way of some rows there, `tile`, of which each holds all columns. */
export function rowWriter(
  columns: readonly Float64Array[],
  memory: ColumnMemory,
  tile: Float64Array,
): RowWriter {
  const width = columns.length;
  const tileRows = tile.length / width;
  const paired = width - (width % 2);
  const calls: RowsCall[] = [];
  for (let c = 0; c < paired; c += 2 * PAIRS) {
    const group = columns.slice(c, Math.min(paired, c + 2 * PAIRS));
    const place = tile.byteOffset + c * ROW_BYTES;
    const starts = group.map(({ byteOffset }) => byteOffset);
    const args = [place, ...starts, width * ROW_BYTES];
    calls.push({ program: programs[group.length / 2 - 1]!, args, first: 0 });
  }
  const write = rowsCalls(memory, [calls])[0]!;
  const odd = columns[paired];
  const plain = plainRowWriter(columns);
  return (rows, values, at) => {
    const [from, to] = rows;
    if (to - from < FEW_ROWS) return plain(rows, values, at);
    for (let row = from; row < to; row += tileRows) {
      const count = Math.min(tileRows, to - row);
      write(row, row + count);
      if (odd) for (let i = 0; i < count; i++) tile[i * width + paired] = odd[row + i]!;
      values.set(tile.subarray(0, count * width), at + (row - from) * width);
    }
  };
}

/** The same values, of columns that lie anywhere. */
export const plainRowWriter =
  (columns: readonly Float64Array[]): RowWriter =>
  ([from, to], values, at) => {
    columns.forEach((column, c) => {
      for (let row = from, place = at + c; row < to; row++, place += columns.length) {
        values[place] = column[row]!;
      }
    });
  };
