import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { answersFrom } from '../../../../core/models/trees/loss.ts';
import type { TreeTask } from '../../../../core/models/trees/engine.ts';
import {
  boostCase,
  COLUMNS,
  ENGINES,
  goldenTrees,
  partsOf,
  type TreeCase,
} from '../../../support/tree-cases.ts';
import { withoutTrees } from '../../../support/without-trees.ts';

/** Largest difference, in units of the larger number where that is above 1. */
function farthest(ours: Float64Array, theirs: readonly number[]): number {
  assert.equal(ours.length, theirs.length);
  return ours.reduce((most, value, at) => {
    const apart = Math.abs(value - theirs[at]!) / Math.max(1, Math.abs(theirs[at]!));
    return Math.max(most, Number.isNaN(apart) ? Infinity : apart);
  }, 0);
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Digest of the trees in the form that test/golden/trees.py takes it of. */
const digestOfTrees: Readonly<Record<TreeCase['library'], (text: string) => string>> = {
  lightgbm: (text) =>
    createHash('sha256')
      .update(text.slice(text.indexOf('Tree=0'), text.indexOf('end of trees')))
      .digest('hex'),
  xgboost: (text) => {
    const hash = createHash('sha256');
    const { trees } = (
      JSON.parse(text) as {
        learner: { gradient_booster: { model: { trees: Record<string, number[]>[] } } };
      }
    ).learner.gradient_booster.model;
    const lists = [
      'left_children',
      'right_children',
      'split_indices',
      'default_left',
      'split_conditions',
    ];
    for (const tree of trees) {
      for (const name of lists) {
        hash.update(new Uint8Array(Float64Array.from(tree[name]!, Number).buffer));
      }
    }
    return hash.digest('hex');
  },
};

/** Python gives the probability of the second of two classes alone. */
function pythonAnswers(task: TreeTask, ours: Float64Array): Float64Array {
  return task.kind === 'binary' ? ours.filter((_, at) => at % 2 === 1) : ours;
}

const title = ({ library, task, missing, weighted, patience }: TreeCase): string =>
  `${library}, ${task}` +
  (missing ? ', missing values' : '') +
  (weighted ? ', balanced classes' : '') +
  (patience === null ? '' : ', stopped early');

describe('boosted trees are those of the Python packages', { skip: withoutTrees }, () => {
  for (const given of goldenTrees.cases) {
    it(title(given), async () => {
      const { expected, library } = given;
      const { engine } = ENGINES[library];
      const { task, text, rounds } = await boostCase(given);
      assert.equal(rounds, expected.rounds);
      assert.equal(digestOfTrees[library](textOf(text)), expected.treesSha256, 'other trees');
      const { test } = partsOf(given);
      const booster = engine.load(text);
      try {
        const raw = booster.raw(test, COLUMNS);
        assert.equal(farthest(raw, expected.raw), 0, 'raw scores bit for bit');
        const answers = pythonAnswers(task, answersFrom(task, raw));
        // XGBoost gives probabilities in float32; ours are the same scores' in double.
        const tolerance = library === 'xgboost' ? 2e-7 : 1e-12;
        assert.ok(farthest(answers, expected.answers) <= tolerance);
        const few = test.subarray(0, 8 * COLUMNS);
        const contributions = booster.contributions(few, COLUMNS);
        assert.ok(farthest(contributions, expected.contributions) <= 1e-12);
        const { gain, split } = booster.importance(COLUMNS);
        assert.ok(farthest(Float64Array.from(gain), expected.gain) <= 1e-12);
        assert.deepEqual(split, expected.split);
      } finally {
        booster.dispose();
      }
    });
  }
});
