import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensembleOf } from '../../../core/models/ensemble.ts';
import { modelFamilyOrThrow } from '../../../core/models/index.ts';
import { fitVersion } from '../../../core/models/model.ts';

const ridge = modelFamilyOrThrow('ridge');
const hybrid = modelFamilyOrThrow('hybrid-lstm-lightgbm');

const versionOf = (name: string, params: unknown = {}): string => {
  const family = modelFamilyOrThrow(name);
  return fitVersion(family, family.params.parse(params));
};

test('a family by itself is named by its own version, as fits were kept from the beginning', () => {
  assert.equal(versionOf('ridge'), `ridge/${ridge.version}`);
});

test('a family made of others names their versions too', () => {
  const [lstm, trees] = ['lstm-classifier', 'lightgbm'].map((name) => versionOf(name));
  assert.equal(
    versionOf('hybrid-lstm-lightgbm'),
    `hybrid-lstm-lightgbm/${hybrid.version} ${lstm} ${trees}`,
  );
});

test('an ensemble whose member gives other weights is another fit, of no other member', () => {
  const newer = { ...ridge, version: ridge.version + 1 };
  const others = [modelFamilyOrThrow('linear'), modelFamilyOrThrow('naive'), hybrid];
  const versions = (members: readonly string[]): string[] =>
    [ridge, newer].map((one) => {
      const family = ensembleOf([one, ...others], ['linear', 'naive']);
      return fitVersion(
        family,
        family.params.parse({ members: members.map((name) => ({ family: name })) }),
      );
    });
  const [before, now] = versions(['ridge', 'linear']);
  assert.notEqual(before, now);
  const [left, right] = versions(['linear', 'hybrid-lstm-lightgbm']);
  assert.equal(left, right);
  assert.match(left!, / lightgbm\/\d+$/, 'what its members are made of counts as well');
});
