import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandUnits, instrumentSlug } from '../../../core/spec/fit-units.ts';
import { INSTRUMENT_PATTERN, NAME_PATTERN } from '../../../core/spec/names.ts';
import { parseSpec, SpecError } from '../../../core/spec/index.ts';

/** Ids that a careless slug would make one name of. */
const IDS = [
  ...['GSPC', '^GSPC', 'gspc', 'GSPC-', 'GSPC.', 'A-B', 'A=B', 'A.B', 'A_B', 'A^B', 'A--B', 'AB'],
  ...['KRW-BTC', 'KRW_BTC', 'KRWBTC', 'KRW-BTC=X', 'KRW-BTC-X', 'BTC', 'btc', '1INCH', '^1INCH'],
];
const specOf = (instruments: readonly string[]): unknown => ({
  name: 'units',
  model: 'x-{instrument}',
  data: { sources: [{ dataset: 'simulated' }], instruments },
});

test('two instruments are never one model: they have names of their own, or the spec is refused', () => {
  let refused = 0;
  for (const [i, a] of IDS.entries()) {
    assert.match(a, INSTRUMENT_PATTERN);
    for (const b of IDS.slice(i + 1)) {
      if (instrumentSlug(a) !== instrumentSlug(b)) {
        const models = expandUnits(parseSpec(specOf([a, b]))).map(({ model }) => model);
        assert.equal(new Set(models).size, 2, `${a} ${b}`);
        for (const model of models) assert.match(model, NAME_PATTERN);
        continue;
      }
      refused++;
      assert.throws(
        () => parseSpec(specOf([a, b])),
        (error) =>
          error instanceof SpecError &&
          error.message.includes(`${a} and ${b} would both be the model "x-${instrumentSlug(a)}"`),
      );
    }
  }
  assert.ok(refused >= 10, `${refused} pairs`);
});

test("a model's name that cannot be is refused with the rule", () => {
  assert.throws(
    () => parseSpec(Object.assign({}, specOf(['^GSPC']), { model: 'Mine-{instrument}' })),
    /^SpecError: model: lower case letters, digits, "\.", "_", "-", and \{instrument\} once .* a letter or digit first, 63 at most$/,
  );
});
