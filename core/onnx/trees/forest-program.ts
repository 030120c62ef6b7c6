import {
  ADD_TWO,
  BLOCK,
  BRANCH,
  BRANCH_IF,
  constant,
  END,
  F64_GT,
  GET,
  I32,
  I32_ADD,
  I32_AND,
  I32_EQZ,
  I32_GE_S,
  I32_OR,
  I32_SHL,
  I32_SUB,
  I32_XOR,
  loadF64,
  loadI32,
  loadTwo,
  LOOP,
  type Program,
  program,
  SET,
  simd,
  storeF64,
  storeTwo,
  unsigned,
  V128,
} from '../../wasm.ts';
import type { TreeEnsemble } from './ensemble.ts';

/**
 * Trees walked several at a time, without a branch that depends on the row: what a processor
 * guesses wrong at every other node of a new row is a computed address here, and while one tree's
 * node is on its way from memory the others go on.
 */

/**
 * Bytes of a node: its threshold (a leaf's value), the address of the value it looks at, the
 * address of its first child.
 */
export const NODE = { bytes: 16, value: 8, child: 12 } as const;
/** Trees that are walked at once. */
export const TOGETHER = 8;
/**
 * A group of them: how many levels deep, a hole, and of each the addresses of its root and of what
 * it adds.
 */
export const GROUP = { bytes: 8 + 8 * TOGETHER, root: 8, place: 12 } as const;

const [group, groupsEnd, terms, termsEnd, stride, sums, sumsEnd] = [0, 1, 2, 3, 4, 5, 6];
const PARAMS = 7;
const level = PARAMS;
const at = PARAMS + 1;
const node = (i: number): number => PARAMS + 2 + i;
const sum = node(TOGETHER);

const get = (local: number): number[] => [GET, ...unsigned(local)];
const set = (local: number): number[] => [SET, ...unsigned(local)];
const each = (code: (i: number) => readonly number[]): number[] =>
  Array.from({ length: TOGETHER }, (_, i) => code(i)).flat();
const forward = (local: number, by: readonly number[]): number[] => [
  ...get(local),
  ...by,
  I32_ADD,
  ...set(local),
];
/** Runs `body` until `done` leaves something else than 0. */
const until = (done: readonly number[], body: readonly number[]): number[] => [
  ...BLOCK,
  ...LOOP,
  ...[...done, BRANCH_IF, 1],
  ...[...body, BRANCH, 0],
  END,
  END,
];
const reached = (local: number, end: number): number[] => [...get(local), ...get(end), I32_GE_S];

/** To the first child, or the one behind it where the value is above the threshold. */
const step = (i: number): number[] => [
  ...[...get(node(i)), ...loadI32(NODE.child)],
  ...[...get(node(i)), ...loadI32(NODE.value), ...loadF64(0)],
  ...[...get(node(i)), ...loadF64(0), F64_GT],
  ...[...constant(Math.log2(NODE.bytes)), I32_SHL, I32_ADD],
  ...set(node(i)),
];

/** Not 0 while a node is none that leads to itself, which leaves do. */
const moving = [
  ...constant(0),
  ...each((i) => [...[...get(node(i)), ...loadI32(NODE.child), ...get(node(i)), I32_XOR], I32_OR]),
];

/**
 * Of trees much deeper than most of their leaves: leaves the levels (two blocks up) where no tree
 * goes on. Looks now and then.
 */
const EVERY = 16;
const leaveIfDone = [
  ...[...BLOCK, ...get(level), ...constant(EVERY - 1), I32_AND, BRANCH_IF, 0],
  ...[...moving, I32_EQZ, BRANCH_IF, 2, END],
];

const walk: readonly number[] = until(reached(group, groupsEnd), [
  ...[...get(group), ...loadI32(0), ...set(level)],
  ...each((i) => [...get(group), ...loadI32(GROUP.root + 8 * i), ...set(node(i))]),
  ...until(
    [...get(level), I32_EQZ],
    [...leaveIfDone, ...each(step), ...get(level), ...constant(1), I32_SUB, ...set(level)],
  ),
  ...each((i) => [
    ...[...get(group), ...loadI32(GROUP.place + 8 * i)],
    ...[...get(node(i)), ...loadF64(0), ...storeF64(0)],
  ]),
  ...forward(group, constant(GROUP.bytes)),
]);

/**
 * Two sums at a time, each in the order of its trees; `rounded`: what is done to both after each
 * addition.
 */
const addUp = (rounded: readonly number[]): number[] =>
  until(reached(sums, sumsEnd), [
    ...[...simd(12), ...new Array<number>(16).fill(0), ...set(sum)],
    ...[...get(terms), ...set(at)],
    ...until(reached(at, termsEnd), [
      ...[...get(sum), ...get(at), ...loadTwo(0), ...ADD_TWO, ...rounded, ...set(sum)],
      ...forward(at, get(stride)),
    ]),
    ...[...get(sums), ...get(sum), ...storeTwo(0)],
    ...forward(sums, constant(16)),
    ...forward(terms, constant(16)),
  ]);

/** To float32 and back, of two: one addition in float32 is one in float64, rounded. */
const TO_FLOAT32 = [...simd(94), ...simd(95)];

const forestProgram = (rounded: readonly number[]): Program =>
  program(new Array<number>(PARAMS).fill(I32), [
    ...[2, 2 + TOGETHER, I32, 1, V128],
    ...walk,
    ...addUp(rounded),
    END,
  ]);

/**
 * By the precision of the sums. Walks the groups from one address up to another, then adds up: the
 * addresses of the terms and behind them, bytes from one tree's terms to the next one's, the
 * addresses of the sums and behind them. Terms and sums come in pairs.
 */
export const FOREST_PROGRAMS: Readonly<Record<TreeEnsemble['precision'], Program>> = {
  float32: forestProgram(TO_FLOAT32),
  float64: forestProgram([]),
};
