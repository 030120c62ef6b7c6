/**
 * Element-wise formulas over columns, as machine code: a formula is compiled to a loop of WebAssembly that takes two rows
 * at a time, which V8 does not make of a loop over typed arrays. IEEE 754 doubles throughout, each operation rounded once,
 * so a row has the same bits wherever it lies in a stretch of rows.
 */

/** What is used of WebAssembly, of which the types of Node have nothing. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { readonly initial: number }) => ColumnMemory;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: ColumnMemory } },
  ) => { readonly exports: { readonly run: (...args: readonly number[]) => void } };
};

/** Memory that formulas run over. */
export interface ColumnMemory {
  readonly buffer: ArrayBuffer;
}

const PAGE_BYTES = 65_536;

/** New memory of at least so many bytes, 0 throughout. */
export const columnMemory = (bytes: number): ColumnMemory =>
  new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(bytes / PAGE_BYTES)) });

/** A value of a row; what is used twice is computed once. */
export interface Term {
  readonly code: readonly number[];
  readonly of: readonly Term[];
}

const term = (code: readonly number[], ...of: readonly Term[]): Term => ({ code, of });

/** Operations of WebAssembly's fixed-width SIMD proposal on two doubles. */
const SIMD = 0xfd;
const simd = (opcode: number): readonly number[] => [SIMD, ...unsigned(opcode)];

export const plus = (a: Term, b: Term): Term => term(simd(240), a, b);
export const minus = (a: Term, b: Term): Term => term(simd(241), a, b);
export const times = (a: Term, b: Term): Term => term(simd(242), a, b);
export const over = (a: Term, b: Term): Term => term(simd(243), a, b);
/** NaN where one of them is. */
export const smallest = (a: Term, b: Term): Term => term(simd(244), a, b);
export const largest = (a: Term, b: Term): Term => term(simd(245), a, b);
export const size = (a: Term): Term => term(simd(236), a);
export const root = (a: Term): Term => term(simd(239), a);
/** Yes or no, for `where`; a comparison with NaN is no. */
export const isEqual = (a: Term, b: Term): Term => term(simd(71), a, b);
export const where = (yes: Term, a: Term, b: Term): Term => term(simd(82), a, b, yes);

/** The same number in every row. */
export function number(value: number): Term {
  const bytes = new Uint8Array(Float64Array.of(value, value).buffer);
  return term([...simd(12), ...bytes]);
}

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
  /** The compiled function over a memory. */
  over(memory: ColumnMemory): (...args: readonly number[]) => void;
}

/**
 * Compiles `formula`, given the row's value of each of `columns` columns and of each of `numbers` numbers.
 * The compiled function takes the addresses of the output and of the columns, the numbers, and then the bytes from there to
 * the first row and the number of rows.
 */
export function kernel(
  columns: number,
  numbers: number,
  formula: (columns: readonly Term[], numbers: readonly Term[]) => Term,
): Kernel {
  const addresses = Array.from({ length: columns }, (_, i) => term([LOAD, i + 1]));
  const given = Array.from({ length: numbers }, (_, i) => term([SPLATTED, i]));
  const result = formula(addresses, given);
  const code = codeOf(columns, numbers, result);
  const instances = new WeakMap<ColumnMemory, (...args: readonly number[]) => void>();
  let module: object | undefined;
  return {
    columns,
    numbers,
    over(memory) {
      let run = instances.get(memory);
      if (run === undefined) {
        module ??= new WebAssembly.Module(moduleOf(columns, numbers, code));
        run = new WebAssembly.Instance(module, { env: { memory } }).exports.run;
        instances.set(memory, run);
      }
      return run;
    },
  };
}

/** Marks of terms whose code depends on where they stand. */
const LOAD = -1;
const SPLATTED = -2;

const I32 = 0x7f;
const F64 = 0x7c;
const V128 = 0x7b;

const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const I32_CONST = 0x41;
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_SHL = 0x74;
const I32_GT_S = 0x4a;
const I32_GE_S = 0x4e;
const BLOCK = [0x02, 0x40] as const;
const LOOP = [0x03, 0x40] as const;
const END = 0x0b;
const BRANCH = 0x0c;
const BRANCH_IF = 0x0d;

const ROW_BYTES = 8;
/** Rows of one vector, and vectors of one turn of the loop. */
const LANES = 2;
const UNROLLED = 2;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  do {
    const more = left >= 128;
    bytes.push((left % 128) + (more ? 128 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return bytes;
}

/** Small non-negative constants only: the sign bit of their last byte is not set. */
const constant = (value: number): number[] => [
  I32_CONST,
  ...(value < 64 ? [value] : [(value % 128) + 128, Math.floor(value / 128)]),
];

const section = (id: number, bytes: readonly number[]): number[] => [
  id,
  ...unsigned(bytes.length),
  ...bytes,
];

const named = (name: string): number[] => [name.length, ...Buffer.from(name)];

function moduleOf(columns: number, numbers: number, code: readonly number[]): Uint8Array {
  const params = [
    ...new Array<number>(columns + 1).fill(I32),
    ...new Array<number>(numbers).fill(F64),
    ...[I32, I32],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, ...unsigned(params.length), ...params, 0]),
    ...section(2, [1, ...named('env'), ...named('memory'), 0x02, 0x00, 0x01]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...named('run'), 0x00, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

/** The function's body: its local variables, a loop over vectors and one over the rows that are left. */
function codeOf(columns: number, numbers: number, result: Term): number[] {
  const from = columns + 1 + numbers;
  const end = from + 1;
  const splats = end + 1;
  const shared = splats + numbers;
  const locals = new Map(sharedTerms(result).map((one, i) => [one, shared + i]));
  const count = numbers + locals.size;
  const pointers = Array.from({ length: columns + 1 }, (_, i) => i);
  const turn = UNROLLED * LANES * ROW_BYTES;
  const vectors = Array.from({ length: UNROLLED }, (_, i) => [
    ...[GET, 0, ...valueOf(result, { locals, splats, one: false, at: i * LANES * ROW_BYTES })],
    ...[...simd(11), 3, ...unsigned(i * LANES * ROW_BYTES)],
  ]).flat();
  const single = [
    ...[GET, 0, ...valueOf(result, { locals, splats, one: true, at: 0 })],
    ...[...simd(91), 3, 0, 0],
  ];
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
      ...[GET, ...unsigned(i), GET, ...unsigned(from), I32_ADD, SET, ...unsigned(i)],
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

function ownCode({ code }: Term, { splats, one, at }: Place): readonly number[] {
  const [mark, index] = code;
  if (mark === SPLATTED) return [GET, ...unsigned(splats + index!)];
  if (mark !== LOAD) return code;
  // A single row's vector has a 0 beside it.
  return [GET, ...unsigned(index!), ...simd(one ? 93 : 0), 3, ...unsigned(at)];
}
