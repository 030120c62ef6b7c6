import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernel, type Term } from '../../../core/indicators/kernel.ts';
import { logOnePlus, logRatioKernel, naturalLog } from '../../../core/indicators/logarithm.ts';
import { columnMemory } from '../../../core/wasm.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const ROWS = 4096;
const memory = columnMemory(3 * ROWS * 8);
const column = (at: number): Float64Array => new Float64Array(memory.buffer, at * ROWS * 8, ROWS);
const [out, x, y] = [0, 1, 2].map(column) as [Float64Array, Float64Array, Float64Array];

const uniform = seededUniform(11);
const word = (): number => Math.floor(uniform() * 2 ** 32);
const ofBits = (high: number, low: number): number =>
  new Float64Array(Uint32Array.of(low, high).buffer)[0]!;

const SPECIALS = [
  ...[0, -0, NaN, Infinity, -Infinity, 1, -1, 2, 0.5, -0.5, Math.SQRT2, Math.SQRT1_2, -2, -1e300],
  ...[5e-324, 1e-310, 2 ** -1022, Number.MAX_VALUE, 2 ** 53, 2 ** 53 + 2, 2 ** -29, 2 ** -54],
];
/** Upper halves of numbers at which the cases of the algorithms change. */
const LIMITS = [
  ...[0x3ff6a09c, 0x3ff6a09e, 0x3ff6147a, 0x3ff6b851, 0x3ff00000, 0x3fefffff, 0x3feffffe],
  ...[0x3fda827a, 0xbfd2bec4, 0xbfd2bec5, 0x3e200000, 0xbe200000, 0x43400000, 0x00100000],
];

/** Numbers of each kind that the algorithms tell apart. */
const draws: readonly (() => number)[] = [
  () => SPECIALS[Math.floor(uniform() * SPECIALS.length)]!,
  () =>
    ofBits(LIMITS[Math.floor(uniform() * LIMITS.length)]! + Math.floor(uniform() * 5) - 2, word()),
  // Any number at all; of a price's size; near 1; near 0.
  () => ofBits(word(), word()),
  () => uniform() * 10 ** Math.floor(uniform() * 8),
  () => 1 + (uniform() - 0.5) * 2 ** -Math.floor(uniform() * 52),
  () => (uniform() - 0.5) * 2 ** -Math.floor(uniform() * 70),
  () => 2 ** Math.floor(uniform() * 2098 - 1074) * (uniform() < 0.5 ? 1 : 1 + uniform() * 1e-6),
];

function sameEverywhere(formula: (x: Term) => Term, plain: (x: number) => number): void {
  const run = kernel(1, 0, ([one]) => formula(one!)).over(memory);
  for (let round = 0; round < 40; round++) {
    for (let t = 0; t < ROWS; t++) x[t] = draws[t % draws.length]!();
    run(out.byteOffset, x.byteOffset, 0, ROWS);
    for (let t = 0; t < ROWS; t++) {
      assert.ok(Object.is(out[t], plain(x[t]!)), `of ${x[t]}: ${out[t]}, not ${plain(x[t]!)}`);
    }
  }
}

test('a natural logarithm has the bits of Math.log, whatever the number', () => {
  sameEverywhere(naturalLog, Math.log);
});

test('a logarithm of one more has the bits of Math.log1p, whatever the number', () => {
  sameEverywhere(logOnePlus, Math.log1p);
});

test('a logarithm of a ratio is that of what the division gave', () => {
  for (let t = 0; t < ROWS; t++) [x[t], y[t]] = [uniform() * 100, uniform() * 100];
  logRatioKernel.over(memory)(out.byteOffset, x.byteOffset, y.byteOffset, 0, ROWS);
  for (let t = 0; t < ROWS; t++) assert.ok(Object.is(out[t], Math.log(x[t]! / y[t]!)));
});
