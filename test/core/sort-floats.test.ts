import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sortFloats, sortTagged } from '../../core/sort-floats.ts';
import { seededUniform } from '../support/seeded-uniform.ts';

const uniform = seededUniform(3);
const kinds: Readonly<Record<string, () => number>> = {
  spread: () => (uniform() - 0.5) * 10 ** (600 * (uniform() - 0.5)),
  near: () => 1e6 + uniform() * 1e-5,
  ties: () => Math.round(uniform() * 9) - 4,
  zeros: () => [0, -0, 1, -1, Number.MIN_VALUE, -Number.MIN_VALUE][Math.floor(uniform() * 6)]!,
  below: () => -uniform(),
  returns: () => (uniform() + uniform() - 1) / 100,
};

test('values are sorted as the library sorts them, zeros by their sign', () => {
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

test('tags go where their values go', () => {
  for (const [kind, value] of Object.entries(kinds)) {
    for (const count of [0, 1, 2, 127, 128, 689, 20_000]) {
      const given = Float64Array.from({ length: count }, value);
      const tagGiven = Uint8Array.from({ length: count }, () => 45 * uniform());
      const [values, tags] = [given.slice(), tagGiven.slice()];
      const spare = { values: new Float64Array(count + 5), tags: new Uint8Array(count + 5) };
      sortTagged(values, tags, spare);
      assert.deepEqual(
        values.map((x) => x + 0),
        given.map((x) => x + 0).sort(),
        kind,
      );
      // Ties of a value may stand in any order.
      const pairsOf = (of: Float64Array, by: Uint8Array): string[] =>
        Array.from(of, (x, i) => `${x + 0} ${by[i]}`).sort();
      assert.deepEqual(pairsOf(values, tags), pairsOf(given, tagGiven), kind);
    }
  }
});
