import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sortFloats } from '../../core/sort-floats.ts';
import { seededUniform } from '../support/seeded-uniform.ts';

test('values are sorted as the library sorts them, zeros by their sign', () => {
  const uniform = seededUniform(3);
  const kinds: Readonly<Record<string, () => number>> = {
    spread: () => (uniform() - 0.5) * 10 ** (600 * (uniform() - 0.5)),
    near: () => 1e6 + uniform() * 1e-5,
    ties: () => Math.round(uniform() * 9) - 4,
    zeros: () => [0, -0, 1, -1, Number.MIN_VALUE, -Number.MIN_VALUE][Math.floor(uniform() * 6)]!,
    below: () => -uniform(),
    returns: () => (uniform() + uniform() - 1) / 100,
  };
  for (const [kind, value] of Object.entries(kinds)) {
    for (const count of [0, 1, 127, 128, 689, 5_000]) {
      const whole = Float64Array.from({ length: count + 3 }, value);
      const values = whole.slice();
      const sorted = sortFloats(values.subarray(2, count + 2));
      const expected = whole.slice(2, count + 2).sort();
      assert.ok(
        sorted.every((x, i) => Object.is(x, expected[i])),
        `${count} of ${kind}`,
      );
      assert.deepEqual([values[0], values.at(-1)], [whole[0], whole.at(-1)]);
    }
  }
});
