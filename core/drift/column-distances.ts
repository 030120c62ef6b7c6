/** The distances of every window of every column from its own reference. */
import { RatchetError } from '../errors.ts';
import type { ColumnKind } from './drift-test.ts';
import { driftTestsOf } from './catalogue.ts';
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

/** Values of one column in row order, levels relative to the close. */
export function columnValues(
  { names, values }: DriftColumns,
  column: number,
  { close, levels }: ColumnOptions,
  [from, to]: readonly [number, number],
): Float64Array {
  const out = new Float64Array(to - from);
  const width = names.length;
  for (let row = from; row < to; row++) out[row - from] = values[row * width + column]!;
  if (close && levels?.has(names[column]!)) {
    for (let row = from; row < to; row++) out[row - from]! /= close[row]!;
  }
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
  return columns.names.map((name, column) => {
    const rows = columnValues(columns, column, options, [first, first + blocks * window]);
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

const sortedFinite = (values: Float64Array): Float64Array => values.filter(Number.isFinite).sort();

/** Two ascending arrays as one. */
function merged(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  let [i, j] = [0, 0];
  for (let at = 0; at < out.length; at++) {
    const takeA = j >= b.length || (i < a.length && a[i]! <= b[j]!);
    out[at] = takeA ? a[i++]! : b[j++]!;
  }
  return out;
}
