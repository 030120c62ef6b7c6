/** What little of WebAssembly's binary format programs over columns need. */

/** What is used of WebAssembly, of which the types of Node have nothing. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { readonly initial: number }) => ColumnMemory;
  readonly Instance: new (
    module: object,
    imports: { readonly env: Readonly<Record<string, ColumnMemory | Run>> },
  ) => { readonly exports: Readonly<Record<string, Run>> };
};

/** A function of a program. */
export type Run = (...args: readonly number[]) => void;

/** Memory that formulas run over. */
export interface ColumnMemory {
  readonly buffer: ArrayBuffer;
}

const PAGE_BYTES = 65_536;

/** New memory of at least so many bytes, 0 throughout. */
export const columnMemory = (bytes: number): ColumnMemory =>
  new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(bytes / PAGE_BYTES)) });

/**
 * The same; undefined where the process may not have it. V8 reserves some 10 GB of address space
 * for each memory, of which only the pages that are used take room: a limit of address space
 * (`ulimit -v`) leaves room for few.
 */
export function columnMemoryIfAny(bytes: number): ColumnMemory | undefined {
  try {
    return columnMemory(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The function that a program is, over a memory. */
export interface Program {
  (memory: ColumnMemory): Run;
  /** Types of its parameters. */
  readonly params: readonly number[];
}

export const I32 = 0x7f;
export const F64 = 0x7c;
export const V128 = 0x7b;

export const GET = 0x20;
export const SET = 0x21;
export const TEE = 0x22;
/** Loads and stores of one value, with an offset in bytes. */
export const loadI32 = (bytes: number): number[] => [0x28, 2, ...unsigned(bytes)];
export const loadF64 = (bytes: number): number[] => [0x2b, 3, ...unsigned(bytes)];
export const storeF64 = (bytes: number): number[] => [0x39, 3, ...unsigned(bytes)];
export const F64_GT = 0x64;
export const I32_EQZ = 0x45;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_AND = 0x71;
export const I32_OR = 0x72;
export const I32_XOR = 0x73;
export const I32_SHL = 0x74;
export const I32_GT_S = 0x4a;
export const I32_GE_S = 0x4e;
export const BLOCK = [0x02, 0x40] as const;
export const LOOP = [0x03, 0x40] as const;
export const END = 0x0b;
export const BRANCH = 0x0c;
export const BRANCH_IF = 0x0d;

export const ROW_BYTES = 8;

/** Operations of the fixed-width SIMD proposal. */
export const simd = (opcode: number): readonly number[] => [0xfd, ...unsigned(opcode)];
export const ADD_TWO = simd(240);
export const TIMES_TWO = simd(242);
/** Two rows; one row, with a 0 beside it; what stores them. Aligned to a row, with an offset. */
export const loadTwo = (bytes: number): number[] => [...simd(0), 3, ...unsigned(bytes)];
export const loadOne = (bytes: number): number[] => [...simd(93), 3, ...unsigned(bytes)];
export const storeTwo = (bytes: number): number[] => [...simd(11), 3, ...unsigned(bytes)];
export const storeOne = (bytes: number): number[] => [...simd(91), 3, ...unsigned(bytes), 0];

/** LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  do {
    const more = left >= 128;
    bytes.push((left % 128) + (more ? 128 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return bytes;
}

/** An i32 constant: LEB128 of a number with a sign. */
export function constant(value: number): readonly number[] {
  const bytes: number[] = [0x41];
  let left = value;
  while (left < -64 || left > 63) {
    bytes.push((left & 127) | 128);
    left >>= 7;
  }
  return [...bytes, left & 127];
}

const section = (id: number, bytes: readonly number[]): number[] => [
  id,
  ...unsigned(bytes.length),
  ...bytes,
];

const named = (name: string): number[] => [name.length, ...Buffer.from(name)];

/**
 * A program of one function: its parameters, and its local variables and code. It is compiled when
 * it is first asked for.
 */
export function program(params: readonly number[], body: readonly number[]): Program {
  const instances = new WeakMap<ColumnMemory, Run>();
  let module: object | undefined;
  const over = (memory: ColumnMemory): Run => {
    let run = instances.get(memory);
    if (run === undefined) {
      module ??= new WebAssembly.Module(moduleOf(params, body));
      run = new WebAssembly.Instance(module, { env: { memory } }).exports['run']!;
      instances.set(memory, run);
    }
    return run;
  };
  return Object.assign(over, { params });
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;

const typeOf = (params: readonly number[]): number[] => [
  ...[0x60, ...unsigned(params.length), ...params, 0],
];

const moduleOf = (params: readonly number[], body: readonly number[]): Uint8Array =>
  Uint8Array.from([
    ...MAGIC,
    ...section(1, [1, ...typeOf(params)]),
    ...section(2, [1, ...named('env'), ...named('memory'), 0x02, 0x00, 0x01]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...named('run'), 0x00, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);

/** A call of a program for some rows of columns, which lie where they do for good. */
export interface RowsCall {
  readonly program: Program;
  /** All arguments but the last two: the bytes to the first row, and the number of rows. */
  readonly args: readonly number[];
  /** Rows before this one are left out. */
  readonly first: number;
}

const CALL = 0x10;
const SELECT = 0x1b;
/** Parameters of a list of calls, and its local variable. */
const [FROM, TO, START] = [0, 1, 2];

const f64 = (value: number): readonly number[] => [
  ...[0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
];

const callOf = ({ program: { params }, args, first }: RowsCall, place: number): number[] => [
  ...args.flatMap((value, i) => (params[i] === F64 ? f64(value) : constant(value))),
  ...[GET, FROM, ...constant(first), GET, FROM, ...constant(first), I32_GT_S, SELECT, TEE, START],
  ...[...constant(3), I32_SHL, GET, TO, GET, START, I32_SUB, CALL, ...unsigned(place)],
];

/**
 * For each list a function that makes its calls one after the other for the rows `from`..`to - 1`:
 * a call from one program to another takes a tenth of the time of one from JavaScript.
 */
export function rowsCalls(
  memory: ColumnMemory,
  lists: readonly (readonly RowsCall[])[],
): readonly ((from: number, to: number) => void)[] {
  const programs = [...new Set(lists.flat().map((call) => call.program))];
  const placeOf = new Map(programs.map((one, place) => [one, place]));
  const own = programs.length;
  const bodies = lists.map((calls) => [
    ...[1, 1, I32],
    ...calls.flatMap((call) => callOf(call, placeOf.get(call.program)!)),
    END,
  ]);
  const names = lists.map((_, i) => `run${i}`);
  const module = new WebAssembly.Module(
    Uint8Array.from([
      ...MAGIC,
      ...listed(1, [...programs.map(({ params }) => typeOf(params)), typeOf([I32, I32])]),
      ...listed(
        2,
        programs.map((_, place) => [
          ...named('env'),
          ...named(`f${place}`),
          0x00,
          ...unsigned(place),
        ]),
      ),
      ...listed(
        3,
        lists.map(() => unsigned(own)),
      ),
      ...listed(
        7,
        names.map((name, i) => [...named(name), 0x00, ...unsigned(own + i)]),
      ),
      ...listed(
        10,
        bodies.map((body) => [...unsigned(body.length), ...body]),
      ),
    ]),
  );
  const env = Object.fromEntries(programs.map((one, place) => [`f${place}`, one(memory)]));
  const { exports } = new WebAssembly.Instance(module, { env });
  return names.map((name) => exports[name]!);
}

const listed = (id: number, parts: readonly (readonly number[])[]): number[] =>
  section(id, [...unsigned(parts.length), ...parts.flat()]);
