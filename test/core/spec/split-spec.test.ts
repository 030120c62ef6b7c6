import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpec, SpecError } from '../../../core/spec/index.ts';

type Mistake = readonly [string, Record<string, unknown>, string, RegExp, RegExp?];

const base = {
  name: 'gspc',
  model: 'index-gspc',
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
};

const MISTAKES: readonly Mistake[] = [
  [
    'a rolling training part without a length',
    { split: { kind: 'walkForward', mode: 'rolling', validBars: 60, testBars: 60 } },
    'split.trainBars',
    /needs a length/,
  ],
  [
    'an embargo that only folds have',
    { split: { kind: 'chronological', embargo: 'strict' } },
    'split.embargo',
    /must be "auto"|number/,
  ],
  [
    'a mean of fits that do not differ',
    { family: 'ridge', serve: 'seedEnsemble' },
    'serve',
    /nothing to average/,
    /medianSeed/,
  ],
  ['a mean of one seed', { seeds: [1], serve: 'seedEnsemble' }, 'serve', /no mean/, /two seeds/],
];

for (const [what, change, path, message, suggestion] of MISTAKES) {
  test(`${what} is refused at ${path}`, () => {
    assert.throws(
      () => parseSpec({ ...base, ...change }),
      (error) => {
        assert.ok(error instanceof SpecError);
        const issue = error.issues.find((one) => one.path === path);
        assert.ok(issue, JSON.stringify(error.issues));
        assert.match(issue.message, message);
        if (suggestion) assert.match(issue.suggestion ?? '', suggestion);
        return true;
      },
    );
  });
}

test('splits with several folds, and their mean of seeds, pass', () => {
  const spec = parseSpec({
    ...base,
    split: { kind: 'walkForward', folds: 4, validBars: 100, testBars: 120 },
    serve: 'seedEnsemble',
  });
  assert.deepEqual(parseSpec(structuredClone(spec)), spec);
  assert.equal(parseSpec({ ...base, split: { kind: 'purgedKFold' } }).split.embargo, 'auto');
});
