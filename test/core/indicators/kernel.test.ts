import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  before,
  isAtLeast,
  isEqual,
  isLess,
  kernel,
  largest,
  minus,
  number,
  over,
  plus,
  root,
  size,
  smallest,
  sumOf,
  times,
  where,
  zero,
} from '../../../core/indicators/kernel.ts';
import { rowWriter } from '../../../core/indicators/row-major.ts';
import { columnMemory } from '../../../core/wasm.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const ROWS = 40;
const memory = columnMemory(8 * ROWS * 8);
const column = (at: number): Float64Array => new Float64Array(memory.buffer, at * ROWS * 8, ROWS);
const [out, a, b, c] = [0, 1, 2, 3].map(column) as [
  Float64Array,
  Float64Array,
  Float64Array,
  Float64Array,
];

const specials = [0, -0, NaN, Infinity, -Infinity, 1, -1, 1e-310, Number.MAX_VALUE];

function fill(): void {
  const uniform = seededUniform(4);
  for (const one of [a, b, c]) {
    for (let t = 0; t < ROWS; t++) {
      const special = uniform() < 0.4;
      one[t] = special ? specials[Math.floor(uniform() * specials.length)]! : uniform() * 10 - 5;
    }
  }
}

const formulas = [
  [kernel(2, 0, ([x, y]) => plus(x!, y!)), (x: number, y: number) => x + y],
  [kernel(2, 0, ([x, y]) => minus(x!, y!)), (x: number, y: number) => x - y],
  [kernel(2, 0, ([x, y]) => times(x!, y!)), (x: number, y: number) => x * y],
  [kernel(2, 0, ([x, y]) => over(x!, y!)), (x: number, y: number) => x / y],
  [kernel(2, 0, ([x, y]) => largest(x!, y!)), (x: number, y: number) => Math.max(x, y)],
  [kernel(2, 0, ([x, y]) => smallest(x!, y!)), (x: number, y: number) => Math.min(x, y)],
  [kernel(1, 0, ([x]) => size(x!)), (x: number) => Math.abs(x)],
  [kernel(1, 0, ([x]) => root(x!)), (x: number) => Math.sqrt(x)],
  [kernel(1, 0, ([x]) => plus(times(x!, number(0.1)), number(300))), (x: number) => x * 0.1 + 300],
  [
    kernel(3, 0, ([x, y, z]) => where(isEqual(y!, zero), z!, over(x!, y!))),
    (x: number, y: number, z: number) => (y === 0 ? z : x / y),
  ],
  [
    // A term used twice, within one that is used twice.
    kernel(3, 0, ([x, y, z]) => {
      const d = minus(x!, y!);
      const e = times(d, plus(d, z!));
      return plus(times(e, e), d);
    }),
    (x: number, y: number, z: number) => {
      const e = (x - y) * (x - y + z);
      return e * e + (x - y);
    },
  ],
  [
    kernel(3, 0, ([x, y, z]) => where(isLess(x!, y!), z!, x!)),
    (x: number, y: number, z: number) => (x < y ? z : x),
  ],
  [
    kernel(3, 0, ([x, y, z]) => where(isAtLeast(x!, y!), z!, x!)),
    (x: number, y: number, z: number) => (x >= y ? z : x),
  ],
  [kernel(3, 0, (terms) => sumOf(terms)), (x: number, y: number, z: number) => x + y + z],
] as const;

test('formulas give the bits of the same operations on numbers, for any stretch of rows', () => {
  fill();
  for (const [formula, plain] of formulas) {
    const run = formula.over(memory);
    const columns = [a, b, c].slice(0, formula.columns);
    for (const [from, rows] of [
      [0, ROWS],
      [0, 0],
      [3, 1],
      [1, 2],
      [5, 3],
      [2, 4],
      [7, 33],
    ] as const) {
      out.fill(77);
      run(out.byteOffset, ...columns.map(({ byteOffset }) => byteOffset), from * 8, rows);
      for (let t = 0; t < ROWS; t++) {
        const inside = t >= from && t < from + rows;
        const expected = inside ? plain(a[t]!, b[t]!, c[t]!) : 77;
        assert.ok(Object.is(out[t], expected), `${plain} row ${t} of ${from}+${rows}: ${out[t]}`);
      }
    }
  }
});

test('columns are read from other rows, and numbers are the same in all', () => {
  fill();
  const run = kernel(2, 2, ([x, before], [n, m]) => plus(times(minus(x!, before!), n!), m!));
  const bytes = 8;
  run.over(memory)(out.byteOffset, a.byteOffset, a.byteOffset - 3 * bytes, 2, 0.5, 3 * bytes, 30);
  for (let t = 3; t < 33; t++) assert.ok(Object.is(out[t], (a[t]! - a[t - 3]!) * 2 + 0.5), `${t}`);
});

test('a formula reads rows before on its own, of columns that may have a lag besides', () => {
  fill();
  const formula = kernel(2, 0, ([x, y]) => minus(plus(before(x!, 5), x!), before(y!, 2)));
  assert.equal(formula.reach, 5);
  const bytes = 8;
  formula.over(memory)(out.byteOffset, a.byteOffset, b.byteOffset - bytes, 6 * bytes, 31);
  for (let t = 6; t < 37; t++) {
    assert.ok(Object.is(out[t], a[t - 5]! + a[t]! - b[t - 3]!), `${t}`);
  }
});

test('a formula of many columns has all of them', () => {
  const wide = columnMemory(40 * 16 * 8);
  const at = (i: number): Float64Array => new Float64Array(wide.buffer, i * 128, 16);
  for (let i = 1; i < 32; i++) at(i).fill(2 ** i);
  const run = kernel(31, 0, (terms) => sumOf(terms)).over(wide);
  run(0, ...Array.from({ length: 31 }, (_, i) => (i + 1) * 128), 0, 16);
  assert.deepEqual([...at(0)], new Array(16).fill(2 ** 32 - 2));
});

test('rows of any number of columns are written whole, whatever the tile', () => {
  for (const width of [1, 2, 3, 8, 9, 14, 21, 152]) {
    const [rows, tileRows] = [23, 4];
    const space = columnMemory((rows * width + tileRows * width) * 8);
    const columns = Array.from(
      { length: width },
      (_, i) => new Float64Array(space.buffer, i * rows * 8, rows),
    );
    columns.forEach((column, i) => column.forEach((_, t) => (column[t] = 1000 * t + i)));
    const tile = new Float64Array(space.buffer, rows * width * 8, tileRows * width);
    const write = rowWriter(columns, space, tile);
    for (const [from, to] of [
      [0, rows],
      [5, 6],
      [2, 9],
      [7, 7],
    ] as const) {
      const values = new Float64Array((to - from) * width + 2).fill(-1);
      write([from, to], values, 1);
      const expected = Array.from(
        { length: (to - from) * width },
        (_, i) => 1000 * (from + Math.floor(i / width)) + (i % width),
      );
      assert.deepEqual([...values], [-1, ...expected, -1], `${width} columns`);
    }
  }
});
