import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  parseSpec,
  SpecError,
  specHash,
  tunedSpaceOf,
  type ExperimentSpec,
  type SpecIssue,
} from '../../../core/spec/index.ts';

type Loose = Record<string, unknown>;

const base = (over: Loose): Loose => ({
  name: 'sweep',
  model: 'sweep',
  data: { sources: [{ dataset: 'simulated' }], instruments: ['^GSPC'] },
  ...over,
});
const parsed = (over: Loose): ExperimentSpec => parseSpec(base(over));
const searched = (over: Loose): string[] => tunedSpaceOf(parsed(over)).map(({ path }) => path);

function issuesOf(over: Loose): readonly SpecIssue[] {
  try {
    parsed(over);
    return [];
  } catch (error) {
    assert.ok(error instanceof SpecError);
    return error.issues;
  }
}

describe('tune', () => {
  it('searches what the family declares, and writes it out', () => {
    const spec = parsed({ tune: {} });
    assert.equal(spec.tune?.search, 'tpe');
    assert.equal(spec.tune?.trials, 20);
    assert.deepEqual(spec.tune?.space?.['learningRate'], { low: 1e-4, high: 1e-2, scale: 'log' });
    assert.ok(!('epochs' in spec.tune!.space!), 'the budget is no part of it');
  });

  it('leaves alone what hyperparameters gives, unless it is named', () => {
    const hyperparameters = { learningRate: 0.002, dropout: 0.1 };
    const left = searched({ hyperparameters, tune: {} });
    assert.ok(!left.includes('learningRate') && !left.includes('dropout'));
    assert.ok(left.includes('units'));
    const tune = { space: { learningRate: {} } };
    assert.deepEqual(searched({ hyperparameters, tune }), ['learningRate']);
  });

  it('means the same when it is parsed again', () => {
    for (const tune of [{}, { space: { 'reduceLr.patience': { low: 2, high: 9 } } }]) {
      const once = parsed({ tune, hyperparameters: { dropout: 0.1 } });
      assert.deepEqual(parseSpec(once), once);
      assert.deepEqual(tunedSpaceOf(parseSpec(once)), tunedSpaceOf(once));
    }
  });

  it('is part of what shapes a version', () => {
    const hash = (over: Loose): string => specHash(parsed(over));
    assert.notEqual(hash({}), hash({ tune: {} }));
    assert.notEqual(hash({ tune: {} }), hash({ tune: { seed: 2 } }));
    assert.equal(hash({ tune: {} }), hash({ tune: { trials: 20, search: 'tpe' } }));
    const space = { learningRate: {}, dropout: {} };
    const turned = { dropout: {}, learningRate: {} };
    assert.equal(hash({ tune: { space } }), hash({ tune: { space: turned } }));
  });

  const mistakes: readonly (readonly [string, Loose, string, RegExp, RegExp?])[] = [
    ['an unknown search', { tune: { search: 'tpa' } }, 'tune.search', /no search/, /"tpe"/],
    [
      'an unknown pruner',
      { tune: { pruner: 'successiveHalfing' } },
      'tune.pruner',
      /no pruner/,
      /"successiveHalving"/,
    ],
    ['an unknown field', { tune: { trails: 3 } }, 'tune.trails', /no such field/, /"trials"/],
    [
      'an unknown hyperparameter',
      { tune: { space: { learningrate: {} } } },
      'tune.space.learningrate',
      /no such hyperparameter/,
      /"learningRate"/,
    ],
    [
      'a range outside what the family takes',
      { tune: { space: { dropout: { low: 0, high: 0.95 } } } },
      'tune.space.dropout.high',
      /0.95 is not taken/,
    ],
    [
      'a choice that the family does not take',
      { tune: { space: { units: { choices: [[8], [0]] } } } },
      'tune.space.units.choices[1]',
      /\[0\] is not taken/,
    ],
    ['nothing to search', { family: 'ridge', tune: {} }, 'tune', /nothing to search/],
    [
      'a pruner without a budget to cut',
      {
        family: 'ridge',
        tune: { pruner: 'successiveHalving', space: { alphas: { choices: [[1], [2]] } } },
      },
      'tune.pruner',
      /no training budget/,
      /pruner: none/,
    ],
    [
      'the budget searched and cut',
      { tune: { pruner: 'successiveHalving', space: { epochs: { low: 5, high: 50 } } } },
      'tune.space.epochs',
      /cannot be searched as well/,
    ],
    [
      'a grid larger than the trials',
      {
        tune: {
          search: 'grid',
          trials: 5,
          space: { dropout: {}, recurrentDropout: { points: 9 } },
        },
      },
      'tune.trials',
      /the grid has 18 points, but 5 trials/,
      /trials: 18/,
    ],
    ['an empty space', { tune: { space: {} } }, 'tune.space', /at least one/],
  ];
  for (const [what, over, path, message, suggestion] of mistakes) {
    it(`refuses ${what}`, () => {
      const issues = issuesOf(over);
      assert.deepEqual(
        issues.map((issue) => issue.path),
        [path],
        JSON.stringify(issues),
      );
      assert.match(issues[0]!.message, message);
      if (suggestion) assert.match(issues[0]!.suggestion ?? '', suggestion);
    });
  }
});
