import { TIMEFRAME_MS, type Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import type { Kernel } from './kernel.ts';
import { elsewhere, type Run } from './over-copies.ts';
import { type PlannedStep, planOf } from './plan.ts';
import { type ColumnMemory, ROW_BYTES, type RowsCall } from '../wasm.ts';

/** Distance of the anchors at which recursive indicators start, in bars of the calendar. */
export const ANCHOR_BARS = 256;

/** Fills the rows `from`..`to - 1` of its column; rows come in order and each comes once. */
export type Step = (from: number, to: number) => void;

/**
 * The rows that columns are computed over, and where their bars lie in the calendar: what makes values
 * independent of where a history starts. Rows may be added; columns grow with them (see `run`).
 */
export interface BarPositions {
  /** Rows that columns have room for. */
  readonly capacity: number;
  /** Rows that there are. */
  readonly rows: number;
  /** `calendar.indexOf` of each bar. */
  readonly index: Int32Array;
  /** Rows > 0 that are the first at or after a multiple of `ANCHOR_BARS`; row 0 anchors besides. */
  readonly anchors: readonly number[];
  /** Memory that all columns lie in; undefined: each lies anywhere. */
  readonly memory?: ColumnMemory;
  /** A new column, NaN throughout. */
  column(): Float64Array;
  /**
   * Runs `step` over the rows there are, and over others when they are added, after all steps that
   * were given before it: a step may read the columns of those. Its values depend on no boundary
   * between calls. `call`: what the step is, if it does no more than call a program.
   */
  run(step: Step, call?: RowsCall): void;
  /** What is made of a column under a name, made once. */
  share<T>(of: Float64Array, name: string, make: () => T): T;
}

/** Rows that can be added to. */
export interface GrowingPositions extends BarPositions {
  /** Takes the rows up to `rows` from `openTime`, whose earlier ones are known, and runs all steps. */
  grow(openTime: Float64Array, rows: number): void;
  /** No rows again; columns stay as they are, to be written again. */
  clear(): void;
  /** What `make` gives, if that is a column that grows; undefined: no step of its own fills it. */
  growing(make: () => Float64Array): Float64Array | undefined;
}

class Rows implements GrowingPositions {
  readonly capacity: number;
  readonly index: Int32Array;
  readonly anchors: number[] = [];
  readonly memory?: ColumnMemory;
  readonly #calendar: Calendar;
  readonly #timeframe: Timeframe;
  readonly #steps: PlannedStep[] = [];
  /** Of the steps there are; undefined: of fewer. */
  #plan: readonly Step[] | undefined;
  readonly #shared = new Map<Float64Array, Map<string, unknown>>();
  readonly #newColumn: () => Float64Array;
  readonly #columns = new Map<Float64Array, number>();
  /** Steps of what `growing` was asked of before. */
  #others = 0;
  #rows = 0;

  constructor(capacity: number, calendar: Calendar, timeframe: Timeframe, store?: ColumnStore) {
    this.capacity = capacity;
    this.index = new Int32Array(capacity);
    this.#calendar = calendar;
    this.#timeframe = timeframe;
    if (store?.memory) this.memory = store.memory;
    this.#newColumn = store?.newColumn ?? (() => new Float64Array(capacity));
  }

  get rows(): number {
    return this.#rows;
  }

  column(): Float64Array {
    const column = this.#newColumn().fill(NaN);
    this.#columns.set(column, this.#columns.size);
    return column;
  }

  growing(make: () => Float64Array): Float64Array | undefined {
    const before = { columns: this.#columns.size, steps: this.#steps.length - this.#others };
    const made = make();
    const steps = this.#steps.length - this.#others - before.steps;
    this.#others += steps;
    const place = this.#columns.get(made) ?? Infinity;
    return place < before.columns || (place < Infinity && steps > 0) ? made : undefined;
  }

  run(step: Step, call?: RowsCall): void {
    this.#steps.push({ step, call });
    this.#plan = undefined;
    if (this.#rows > 0) step(0, this.#rows);
  }

  share<T>(of: Float64Array, name: string, make: () => T): T {
    let made = this.#shared.get(of);
    if (made === undefined) this.#shared.set(of, (made = new Map()));
    // A name is used by one maker only, which fixes its type.
    if (!made.has(name)) made.set(name, make());
    return made.get(name) as T;
  }

  grow(openTime: Float64Array, rows: number): void {
    const from = this.#rows;
    for (let row = Math.max(1, from); row < rows; row++) {
      if (openTime[row]! > openTime[row - 1]!) continue;
      throw new RatchetError(
        'indicators.order',
        `the bar that opens at ${openTime[row]} ms does not open after the one before it`,
      );
    }
    const { index } = this;
    // Where bars follow one another without end, the next one is one further: no need to ask for it.
    const bar = this.#calendar.alwaysOpen ? TIMEFRAME_MS[this.#timeframe] : NaN;
    let blockEnds = from > 0 ? blockEnd(index[from - 1]!) : -Infinity;
    for (let row = from; row < rows; row++) {
      const follows = row > 0 && openTime[row]! - openTime[row - 1]! === bar;
      const at = follows
        ? index[row - 1]! + 1
        : this.#calendar.indexOf(openTime[row]!, this.#timeframe);
      index[row] = at;
      if (at < blockEnds) continue;
      blockEnds = blockEnd(at);
      if (row > 0) this.anchors.push(row);
    }
    this.#rows = rows;
    if (rows === from) return;
    this.#plan ??= planOf(this.#steps, this.memory);
    for (const step of this.#plan) step(from, rows);
  }

  clear(): void {
    this.#rows = 0;
    this.anchors.length = 0;
  }
}

/** The first multiple of `ANCHOR_BARS` after a bar. */
const blockEnd = (index: number): number => (Math.floor(index / ANCHOR_BARS) + 1) * ANCHOR_BARS;

/** Where columns lie. */
export interface ColumnStore {
  readonly memory?: ColumnMemory;
  /** A column of that memory. */
  newColumn(): Float64Array;
}

/** Room for `capacity` rows, none yet. */
export const growingPositions = (
  capacity: number,
  calendar: Calendar,
  timeframe: Timeframe,
  store?: ColumnStore,
): GrowingPositions => new Rows(capacity, calendar, timeframe, store);

/** Positions of bars given by open time (ms UTC, increasing; else `indicators.order`). */
export function barPositions(
  openTime: Float64Array,
  calendar: Calendar,
  timeframe: Timeframe,
  store?: ColumnStore,
): BarPositions {
  const positions = growingPositions(openTime.length, calendar, timeframe, store);
  positions.grow(openTime, openTime.length);
  return positions;
}

/**
 * A column that `fill` writes from row `first` on; NaN before it. What its loop reads is `given`:
 * V8 reads captured variables again for every row, which takes several times as long.
 */
export function columnOf<const G extends readonly unknown[]>(
  positions: BarPositions,
  given: G,
  fill: (out: Float64Array, given: G, from: number, to: number) => void,
  first = 0,
): Float64Array {
  const out = positions.column();
  positions.run((from, to) => {
    if (to > first) fill(out, given, Math.max(from, first), to);
  });
  return out;
}

/** A column as a formula reads it; with a number of rows, that many rows before. */
export type Operand = Float64Array | readonly [column: Float64Array, lag: number];

/**
 * A column that a formula gives from row `first` on; NaN before it. Throws `indicators.column`
 * where `first` is less than the longest lag, and for an operand that is no whole column of
 * `positions`.
 */
export function columnBy(
  positions: BarPositions,
  formula: Kernel,
  operands: readonly Operand[],
  numbers: readonly number[] = [],
  first = 0,
): Float64Array {
  const columns = operands.map((one) => (one instanceof Float64Array ? one : one[0]));
  const lags = operands.map((one) => (one instanceof Float64Array ? 0 : one[1]));
  lags.forEach((lag) => checkLag(lag + formula.reach, first));
  const out = positions.column();
  const { run, call } = stepOf(positions, formula, out, columns, { lags, numbers, first });
  positions.run((from, to) => {
    if (to > first) run(Math.max(from, first), to);
  }, call);
  return out;
}

/** How a formula reads its columns. */
interface Reading {
  readonly lags: readonly number[];
  readonly numbers: readonly number[];
  readonly first: number;
}

function stepOf(
  positions: BarPositions,
  formula: Kernel,
  out: Float64Array,
  columns: readonly Float64Array[],
  { lags, numbers, first }: Reading,
): { readonly run: Step; readonly call?: RowsCall } {
  const { memory } = positions;
  if (memory === undefined) {
    const run = formulaRun(positions, formula, out, columns);
    return { run: (from, to) => run(lags, numbers, from, to) };
  }
  checkWhole(out, columns);
  // The addresses of a step never change.
  const addresses = columns.map(({ byteOffset }, i) => byteOffset - lags[i]! * ROW_BYTES);
  const args = [out.byteOffset, ...addresses, ...numbers];
  const run = formula.over(memory).bind(null, ...args);
  return {
    run: (from, to) => run(from * ROW_BYTES, to - from),
    call: { program: formula.over, args, first },
  };
}

function checkLag(lag: number, first: number): void {
  if (lag <= first) return;
  throw new RatchetError('indicators.column', `row ${first} has no row ${lag} before it`);
}

/** Another array's address means other values here, or those of other rows. */
function checkWhole(out: Float64Array, columns: readonly Float64Array[]): void {
  if (columns.every(({ buffer, length }) => buffer === out.buffer && length === out.length)) return;
  throw new RatchetError(
    'indicators.column',
    'a formula reads whole columns of its positions only',
  );
}

/** A formula that writes into a column, to be run over some rows at a time. */
export function formulaRun(
  { memory }: BarPositions,
  formula: Kernel,
  out: Float64Array,
  columns: readonly Float64Array[],
): Run {
  if (memory === undefined) return elsewhere(formula, out, columns);
  checkWhole(out, columns);
  const run = formula.over(memory);
  return (lags, numbers, from, to) => {
    for (const lag of lags) checkLag(lag + formula.reach, from);
    const addresses = columns.map(({ byteOffset }, i) => byteOffset - lags[i]! * ROW_BYTES);
    run(out.byteOffset, ...addresses, ...numbers, from * ROW_BYTES, to - from);
  };
}
