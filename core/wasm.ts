/** What little of WebAssembly's binary format programs over columns need. */

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
export type Program = (memory: ColumnMemory) => (...args: readonly number[]) => void;

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

/** An i32 constant of at least 0: where the sign bit of its last byte is set, one more byte follows. */
export function constant(value: number): readonly number[] {
  const bytes = unsigned(value);
  const last = bytes.at(-1)!;
  return last < 64 ? [0x41, ...bytes] : [0x41, ...bytes.slice(0, -1), last + 128, 0];
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
  const instances = new WeakMap<ColumnMemory, (...args: readonly number[]) => void>();
  let module: object | undefined;
  return (memory) => {
    let run = instances.get(memory);
    if (run === undefined) {
      module ??= new WebAssembly.Module(moduleOf(params, body));
      run = new WebAssembly.Instance(module, { env: { memory } }).exports.run;
      instances.set(memory, run);
    }
    return run;
  };
}

const moduleOf = (params: readonly number[], body: readonly number[]): Uint8Array =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, ...unsigned(params.length), ...params, 0]),
    ...section(2, [1, ...named('env'), ...named('memory'), 0x02, 0x00, 0x01]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...named('run'), 0x00, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
