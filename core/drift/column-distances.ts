/** The distances of every window of every column from its own reference. */
import { RatchetError } from '../errors.ts';
import type { ColumnKind } from './drift-test.ts';
import { driftTestsOf } from './catalogue.ts';
import { SlidingSamples } from './sliding-samples.ts';
import type { DriftColumns, WindowLayout } from './windows.ts';

/** A column of at most this many different values is taken for categories: weekdays, months, flags. */
const MAX_CATEGORIES = 16;

export interface ColumnDistances {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Distances by drift test, one a window, the newest last; null where some window had no finite value. */
  readonly distances: Readonly<Record<string, Float64Array>> | null;
  /** Share of the newest window's rows that hold no finite value. */
  readonly missing: number;
}

export interface ColumnOptions {
  /** Close of each row's bar: what level columns are divided by. */
  readonly close?: Float64Array | undefined;
  /** Columns in units of the price. */
  readonly levels?: ReadonlySet<string> | undefined;
  readonly categorical?: ReadonlySet<string> | undefined;
}

/** Columns that are gathered together: what one read of memory brings of a row. */
const TOGETHER = 8;

/** Columns of rows, one after the other, some at a time in the same memory. */
class Gathered {
  readonly #columns: DriftColumns;
  readonly #options: ColumnOptions;
  readonly #rows: readonly [from: number, to: number];
  readonly #into: readonly Float64Array[];

  constructor(columns: DriftColumns, options: ColumnOptions, rows: readonly [number, number]) {
    const [from, to] = rows;
    this.#columns = columns;
    this.#options = options;
    this.#rows = rows;
    this.#into = Array.from(
      { length: Math.min(TOGETHER, columns.names.length) },
      () => new Float64Array(to - from),
    );
  }

  /** The column's values, levels relative to the close; columns are asked for in their order, each once. */
  next(column: number): Float64Array {
    const { names } = this.#columns;
    const { close, levels } = this.#options;
    const at = column % TOGETHER;
    if (at === 0) this.#gather(column, Math.min(TOGETHER, names.length - column));
    const values = this.#into[at]!;
    if (close && levels?.has(names[column]!)) {
      const [from] = this.#rows;
      for (let row = 0; row < values.length; row++) values[row]! /= close[from + row]!;
    }
    return values;
  }

  #gather(first: number, count: number): void {
    const { names, values } = this.#columns;
    const [from, to] = this.#rows;
    const width = names.length;
    for (let tile = from; tile < to; tile += TILE) {
      const end = Math.min(to, tile + TILE);
      for (let at = 0; at < count; at++) {
        const into = this.#into[at]!;
        for (let row = tile; row < end; row++) {
          into[row - from] = values[row * width + first + at]!;
        }
      }
    }
  }
}

/** Rows that are gathered at once: what is read of them stays near until all columns are written. */
const TILE = 64;

/**
 * A column is sorted once for all its windows and their references (`SlidingSamples`).
 * Throws `drift.close` where `levels` are given without the close.
 */
export function columnDistances(
  columns: DriftColumns,
  layout: WindowLayout,
  options: ColumnOptions,
): ColumnDistances[] {
  const { window, first, blocks, windows } = layout;
  if (options.levels && !options.close) {
    throw new RatchetError(
      'drift.close',
      'level columns are compared relative to the close: give it',
    );
  }
  const gathered = new Gathered(columns, options, [first, first + blocks * window]);
  const sliding = new SlidingSamples(layout);
  return columns.names.map((name, column) => {
    const rows = gathered.next(column);
    const kind = kindOf(name, rows, options.categorical);
    const missing = 1 - sliding.take(rows) / window;
    const tests = driftTestsOf(kind);
    const distances = Object.fromEntries(
      tests.map((test) => [test.name, new Float64Array(windows)]),
    );
    for (let w = 0; w < windows; w++) {
      const { reference, window: newest, pooled } = sliding.of(w);
      for (const test of tests) distances[test.name]![w] = test.distance(reference, newest, pooled);
    }
    const defined = Object.values(distances).every((values) => values.every(Number.isFinite));
    return { name, kind, distances: defined ? distances : null, missing };
  });
}

function kindOf(
  name: string,
  values: Float64Array,
  categorical: ReadonlySet<string> | undefined,
): ColumnKind {
  if (categorical) return categorical.has(name) ? 'categorical' : 'numeric';
  const seen = new Set<number>();
  for (const value of values) {
    if (Number.isFinite(value)) seen.add(value);
    if (seen.size > MAX_CATEGORIES) return 'numeric';
  }
  return 'categorical';
}
