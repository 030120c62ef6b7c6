/** Sums of products of a column with itself some rows before: the autocovariances that long-run errors are made of. */
import {
  ADD_TWO,
  BLOCK,
  BRANCH,
  BRANCH_IF,
  columnMemoryIfAny,
  constant,
  END,
  GET,
  I32,
  I32_ADD,
  I32_GE_S,
  loadTwo,
  LOOP,
  program,
  ROW_BYTES,
  SET,
  simd,
  storeTwo,
  TIMES_TWO,
  unsigned,
  V128,
} from '../../wasm.ts';

/** Lags of one pass: as many sums as a processor has room for, and enough that none waits for the one before. */
const LAGS = 20;
const ROWS = 4_096;
/** Rows before those of a pass that it reads; so many lags at most. */
const BEFORE = 256;

/** Parameters: addresses of the first row, of what lies behind the last, of the row LAGS - 1 before the first, of the sums. */
const [NOW, STOP, PAST, SUMS] = [0, 1, 2, 3];
const VALUE = 4;
const sumOf = (pair: number): number => VALUE + 1 + pair;
const PAIRS = Array.from({ length: LAGS / 2 }, (_, pair) => pair);
const forward = (pointer: number): readonly number[] => [
  ...[GET, pointer, ...constant(ROW_BYTES), I32_ADD, SET, pointer],
];

/** Adds the products of rows with those before to sums: of each pair of lags the larger one first. */
const addProducts = program(
  [I32, I32, I32, I32],
  [
    ...[1, 1 + PAIRS.length, V128],
    ...PAIRS.flatMap((pair) => [GET, SUMS, ...loadTwo(16 * pair), SET, sumOf(pair)]),
    ...[...BLOCK, ...LOOP, GET, NOW, GET, STOP, I32_GE_S, BRANCH_IF, 1],
    // The row's value twice.
    ...[GET, NOW, ...simd(10), 3, ...unsigned(0), SET, VALUE],
    ...PAIRS.flatMap((pair) => [
      ...[GET, VALUE, GET, PAST, ...loadTwo(ROW_BYTES * (LAGS - 2 - 2 * pair)), ...TIMES_TWO],
      ...[GET, sumOf(pair), ...ADD_TWO, SET, sumOf(pair)],
    ]),
    ...[...forward(NOW), ...forward(PAST), BRANCH, 0, END, END],
    ...PAIRS.flatMap((pair) => [GET, SUMS, GET, sumOf(pair), ...storeTwo(16 * pair)]),
    END,
  ],
);

interface Scratch {
  readonly rows: Float64Array;
  readonly sums: Float64Array;
  readonly add: ReturnType<typeof addProducts>;
}

function scratchIfAny(): Scratch | undefined {
  const memory = columnMemoryIfAny((2 * BEFORE + ROWS) * ROW_BYTES);
  if (memory === undefined) return undefined;
  const rows = new Float64Array(memory.buffer, 0, BEFORE + ROWS);
  const sums = new Float64Array(memory.buffer, rows.byteLength, BEFORE);
  return { rows, sums, add: addProducts(memory) };
}

let scratch: Scratch | undefined;

/** Writes the values v[from] to v[from + count - 1] of a column to `out`, from `at` on. */
export type Writes = (out: Float64Array, at: number, from: number, count: number) => void;

/** Sums over t of v[t] v[t - lag] for the lags from 0 to `lags`, each in the order of t, of `rows` values. */
export function laggedProducts(rows: number, lags: number, write: Writes): Float64Array {
  scratch ??= lags < BEFORE - LAGS ? scratchIfAny() : undefined;
  return scratch === undefined || lags >= BEFORE - LAGS
    ? productsOneByOne(rows, lags, write)
    : productsOver(scratch, rows, lags, write);
}

function productsOver(
  { rows: near, sums, add }: Scratch,
  rows: number,
  lags: number,
  write: Writes,
): Float64Array {
  near.fill(0, 0, BEFORE);
  sums.fill(0);
  for (let from = 0; from < rows; from += ROWS) {
    const count = Math.min(ROWS, rows - from);
    if (from > 0) near.copyWithin(0, ROWS);
    write(near, BEFORE, from, count);
    for (let lag = 0; lag <= lags; lag += LAGS) {
      const first = BEFORE * ROW_BYTES;
      const past = first - (lag + LAGS - 1) * ROW_BYTES;
      add(first, first + count * ROW_BYTES, past, sums.byteOffset + lag * ROW_BYTES);
    }
  }
  return Float64Array.from({ length: lags + 1 }, (_, lag) => sums[lag ^ 1]!);
}

/** The same bits without machine code. */
export function productsOneByOne(rows: number, lags: number, write: Writes): Float64Array {
  const v = new Float64Array(rows);
  write(v, 0, 0, rows);
  const sums = new Float64Array(lags + 1);
  for (let lag = 0; lag <= lags; lag++) {
    let sum = 0;
    for (let t = lag; t < rows; t++) sum += v[t]! * v[t - lag]!;
    sums[lag] = sum;
  }
  return sums;
}
