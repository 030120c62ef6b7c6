/** The distances of every window of every column from its own reference. */
import { RatchetError } from '../errors.ts';
import type { ColumnKind } from './drift-test.ts';
import { driftTestsOf } from './catalogue.ts';
import { sortFloats } from '../sort-floats.ts';
import { type DriftColumns, REFERENCE_WINDOWS, type WindowLayout } from './windows.ts';

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

/** Rows that are gathered at once: what is read of them stays near until all columns are written. */
const TILE = 64;

/** Values in row order, column after column, levels relative to the close. */
function byColumn(
  { names, values }: DriftColumns,
  { close, levels }: ColumnOptions,
  [from, to]: readonly [number, number],
): Float64Array[] {
  const width = names.length;
  const out = names.map(() => new Float64Array(to - from));
  for (let tile = from; tile < to; tile += TILE) {
    const end = Math.min(to, tile + TILE);
    for (let column = 0; column < width; column++) {
      const into = out[column]!;
      for (let row = tile; row < end; row++) into[row - from] = values[row * width + column]!;
    }
  }
  names.forEach((name, column) => {
    if (!close || !levels?.has(name)) return;
    for (let row = from; row < to; row++) out[column]![row - from]! /= close[row]!;
  });
  return out;
}

/**
 * Each block is sorted once; a reference is merged from the sorted blocks before the window, so that a column costs
 * O(rows log window) and not a sort of each reference.
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
  const gathered = byColumn(columns, options, [first, first + blocks * window]);
  return columns.names.map((name, column) => {
    const rows = gathered[column]!;
    const kind = kindOf(name, rows, options.categorical);
    const sorted = Array.from({ length: blocks }, (_, b) =>
      sortedFinite(rows.subarray(b * window, (b + 1) * window)),
    );
    const missing = 1 - sorted.at(-1)!.length / window;
    const pairs = sorted.slice(1).map((block, b) => merged(sorted[b]!, block));
    const tests = driftTestsOf(kind);
    const distances = Object.fromEntries(
      tests.map((test) => [test.name, new Float64Array(windows)]),
    );
    for (let w = 0; w < windows; w++) {
      const reference = merged(pairs[w]!, pairs[w + 2]!);
      const newest = sorted[w + REFERENCE_WINDOWS]!;
      for (const test of tests) distances[test.name]![w] = test.distance(reference, newest);
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

function sortedFinite(values: Float64Array): Float64Array {
  const out = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) out[count++] = values[i]!;
  }
  return sortFloats(out.subarray(0, count));
}

/** Two ascending arrays as one. */
function merged(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) out[i + j] = a[i]! <= b[j]! ? a[i++]! : b[j++]!;
  out.set(i < a.length ? a.subarray(i) : b.subarray(j), i + j);
  return out;
}
