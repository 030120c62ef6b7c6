import {
  ADD_TWO,
  BLOCK,
  BRANCH,
  BRANCH_IF,
  constant,
  END,
  F64,
  GET,
  I32,
  I32_ADD,
  I32_GE_S,
  I32_GT_S,
  I32_SHL,
  I32_SUB,
  loadOne,
  loadTwo,
  LOOP,
  program,
  type Program,
  ROW_BYTES,
  SET,
  simd,
  storeOne,
  storeTwo,
  TEE,
  TIMES_TWO,
  unsigned,
  V128,
} from '../wasm.ts';

/**
 * Element-wise formulas over columns, as machine code: a formula is compiled to a loop of WebAssembly that takes two rows
 * at a time, which V8 does not make of a loop over typed arrays. IEEE 754 doubles throughout, each operation rounded once,
 * so a row has the same bits wherever it lies in a stretch of rows.
 */

/** A value of a row; what is used twice is computed once. */
export interface Term {
  readonly code: readonly number[];
  readonly of: readonly Term[];
}

const term = (code: readonly number[], ...of: readonly Term[]): Term => ({ code, of });

export const plus = (a: Term, b: Term): Term => term(ADD_TWO, a, b);
export const minus = (a: Term, b: Term): Term => term(simd(241), a, b);
export const times = (a: Term, b: Term): Term => term(TIMES_TWO, a, b);
export const over = (a: Term, b: Term): Term => term(simd(243), a, b);
/** NaN where one of them is. */
export const smallest = (a: Term, b: Term): Term => term(simd(244), a, b);
export const largest = (a: Term, b: Term): Term => term(simd(245), a, b);
export const size = (a: Term): Term => term(simd(236), a);
export const root = (a: Term): Term => term(simd(239), a);
/** Yes or no, for `where`; a comparison with NaN is no. */
export const isEqual = (a: Term, b: Term): Term => term(simd(71), a, b);
export const isLess = (a: Term, b: Term): Term => term(simd(73), a, b);
export const isAtLeast = (a: Term, b: Term): Term => term(simd(76), a, b);
export const where = (yes: Term, a: Term, b: Term): Term => term(simd(82), a, b, yes);

/** Of the 64 bits of a value, or of yes and no: all are set in yes, none in no. */
export const bothOf = (a: Term, b: Term): Term => term(simd(78), a, b);
export const butNot = (a: Term, b: Term): Term => term(simd(79), a, b);
export const eitherOf = (a: Term, b: Term): Term => term(simd(80), a, b);
export const oneOf = (a: Term, b: Term): Term => term(simd(81), a, b);
/** As whole numbers of 64 bits. */
export const bitsPlus = (a: Term, b: Term): Term => term(simd(206), a, b);
export const bitsRight = (a: Term, by: number): Term => term([...constant(by), ...simd(205)], a);

const splat = (pair: ArrayBuffer): Term => term([...simd(12), ...new Uint8Array(pair)]);

/** The same number in every row. */
export const number = (value: number): Term => splat(Float64Array.of(value, value).buffer);
/** The same 64 bits in every row. */
export const bits = (value: bigint): Term => splat(BigUint64Array.of(value, value).buffer);

/** A column's value in the row. */
export interface ColumnTerm extends Term {
  readonly pointer: number;
}

const load = (pointer: number, rows: number): ColumnTerm => ({
  ...term([LOAD, pointer, rows]),
  pointer,
});

/** The column's value some rows before. */
export const before = ({ pointer }: ColumnTerm, rows: number): Term => load(pointer, rows);

export const zero = number(0);
export const one = number(1);
export const half = number(0.5);

/** Sum of at least one term: of pairs, so that no addition waits for all before it. */
export function sumOf(terms: readonly Term[]): Term {
  const [first, ...others] = terms;
  if (others.length === 0) return first!;
  const middle = Math.ceil(terms.length / 2);
  return plus(sumOf(terms.slice(0, middle)), sumOf(terms.slice(middle)));
}

/** A formula ready to be run: so many columns and numbers in, one column out. */
export interface Kernel {
  readonly columns: number;
  readonly numbers: number;
  /** The most rows before that it reads columns in by itself: fewer than 256. */
  readonly reach: number;
  /** The compiled function over a memory. */
  readonly over: Program;
}

/**
 * Compiles `formula`, given the row's value of each of `columns` columns and of each of `numbers` numbers.
 * The compiled function takes the addresses of the output and of the columns, the numbers, and then the bytes from there to
 * the first row and the number of rows.
 */
export function kernel(
  columns: number,
  numbers: number,
  formula: (columns: readonly ColumnTerm[], numbers: readonly Term[]) => Term,
): Kernel {
  const addresses = Array.from({ length: columns }, (_, i) => load(i + 1, 0));
  const given = Array.from({ length: numbers }, (_, i) => term([SPLATTED, i]));
  const result = formula(addresses, given);
  const reach = reachOf(result);
  const params = [
    ...new Array<number>(columns + 1).fill(I32),
    ...new Array<number>(numbers).fill(F64),
    ...[I32, I32],
  ];
  const over = program(params, codeOf({ columns, numbers, reach }, result));
  return { columns, numbers, reach, over };
}

/** The most rows before that a column is read in. */
function reachOf(result: Term): number {
  const seen = new Set<Term>();
  let most = 0;
  const visit = (one: Term): void => {
    if (seen.has(one)) return;
    seen.add(one);
    if (one.code[0] === LOAD) most = Math.max(most, one.code[2]!);
    one.of.forEach(visit);
  };
  visit(result);
  return most;
}

/** Marks of terms whose code depends on where they stand. */
const LOAD = -1;
const SPLATTED = -2;

/** Rows of one vector, and vectors of one turn of the loop. */
const LANES = 2;
const UNROLLED = 2;

/** The function's body: its local variables, a loop over vectors and one over the rows that are left. */
function codeOf(
  { columns, numbers, reach }: Pick<Kernel, 'columns' | 'numbers' | 'reach'>,
  result: Term,
): number[] {
  const from = columns + 1 + numbers;
  const end = from + 1;
  const splats = end + 1;
  const shared = splats + numbers;
  const locals = new Map(sharedTerms(result).map((one, i) => [one, shared + i]));
  const place = { locals, splats, reach };
  const count = numbers + locals.size;
  const pointers = Array.from({ length: columns + 1 }, (_, i) => i);
  const turn = UNROLLED * LANES * ROW_BYTES;
  const vectors = Array.from({ length: UNROLLED }, (_, i) => [
    ...[GET, 0, ...valueOf(result, { ...place, one: false, at: i * LANES * ROW_BYTES })],
    ...storeTwo(i * LANES * ROW_BYTES),
  ]).flat();
  const single = [...[GET, 0, ...valueOf(result, { ...place, one: true, at: 0 })], ...storeOne(0)];
  const forward = (bytes: number): number[] =>
    pointers.flatMap((i) => [
      GET,
      ...unsigned(i),
      ...constant(bytes),
      I32_ADD,
      SET,
      ...unsigned(i),
    ]);
  const left = [GET, ...unsigned(end), GET, 0, I32_SUB];
  return [
    ...(count > 0 ? [1, ...unsigned(count), V128] : [0]),
    ...pointers.flatMap((i) => [
      ...[GET, ...unsigned(i), GET, ...unsigned(from), I32_ADD],
      // Offsets of loads are not negative: pointers to columns begin with the oldest row.
      ...(i > 0 && reach > 0 ? [...constant(reach * ROW_BYTES), I32_SUB] : []),
      ...[SET, ...unsigned(i)],
    ]),
    // The number of rows becomes the address behind the output's last.
    ...[GET, 0, GET, ...unsigned(end), ...constant(3), I32_SHL, I32_ADD, SET, ...unsigned(end)],
    ...Array.from({ length: numbers }, (_, i) => [
      ...[GET, ...unsigned(columns + 1 + i), ...simd(20), SET, ...unsigned(splats + i)],
    ]).flat(),
    ...[...BLOCK, ...LOOP, ...constant(turn), ...left, I32_GT_S, BRANCH_IF, 1],
    ...[...vectors, ...forward(turn), BRANCH, 0, END, END],
    ...[...BLOCK, ...LOOP, GET, 0, GET, ...unsigned(end), I32_GE_S, BRANCH_IF, 1],
    ...[...single, ...forward(ROW_BYTES), BRANCH, 0, END, END],
    END,
  ];
}

/** Terms that are used more than once; numbers and columns are as well read again. */
function sharedTerms(result: Term): Term[] {
  const uses = new Map<Term, number>();
  const visit = (one: Term): void => {
    const known = uses.get(one) ?? 0;
    uses.set(one, known + 1);
    if (known === 0) one.of.forEach(visit);
  };
  visit(result);
  return [...uses].filter(([one, n]) => n > 1 && one.code[0] !== SPLATTED).map(([one]) => one);
}

interface Place {
  readonly locals: ReadonlyMap<Term, number>;
  readonly splats: number;
  /** Rows that pointers to columns are behind. */
  readonly reach: number;
  /** One row, not a vector of them. */
  readonly one: boolean;
  /** Bytes beyond the pointers. */
  readonly at: number;
}

/** Code that leaves the term's value on the stack. */
function valueOf(result: Term, place: Place): number[] {
  const done = new Set<Term>();
  const codeFor = (one: Term): number[] => {
    const local = place.locals.get(one);
    if (local !== undefined && done.has(one)) return [GET, ...unsigned(local)];
    done.add(one);
    const code = [...one.of.flatMap(codeFor), ...ownCode(one, place)];
    return local === undefined ? code : [...code, TEE, ...unsigned(local)];
  };
  return codeFor(result);
}

function ownCode({ code }: Term, { splats, reach, one, at }: Place): readonly number[] {
  const [mark, index, rows] = code;
  if (mark === SPLATTED) return [GET, ...unsigned(splats + index!)];
  if (mark !== LOAD) return code;
  const bytes = at + (reach - rows!) * ROW_BYTES;
  return [GET, ...unsigned(index!), ...(one ? loadOne(bytes) : loadTwo(bytes))];
}
