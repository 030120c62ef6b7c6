/** Rows and boosted trees that both sides have. */
import { lightGbmParams } from '../../core/models/lightgbm.ts';
import type { TreeRows, TreeTask } from '../../core/models/trees/engine.ts';
import { lightGbmEngine } from '../../core/models/trees/lightgbm-engine.impl.ts';
import { seededUniform } from '../../core/seeded-uniform.ts';

const ROWS = 10_000;
export const CLASSES = 3;
export const TREE_ROUNDS = 100;
export const TREE_PARAMS = lightGbmParams.parse({});
const TASK: TreeTask = { kind: 'multiclass', classes: CLASSES };

/** 10,000 rows of noise, and a class that the first and the last column and their product say something about. */
export function treeRows(columns: number): TreeRows {
  const uniform = seededUniform(11);
  const x = Float64Array.from({ length: ROWS * columns }, () => uniform() + uniform() - 1);
  const y = Float64Array.from({ length: ROWS }, (_, i) => {
    const [a, b] = [x[i * columns]!, x[(i + 1) * columns - 1]!];
    const score = a + 0.5 * b + a * b + uniform() - 0.5;
    return score < -0.4 ? 0 : score > 0.4 ? 2 : 1;
  });
  return { x, columns, y };
}

/** The library's own text of the trees. */
export function grownTrees(train: TreeRows): Uint8Array {
  const booster = lightGbmEngine.start({ params: TREE_PARAMS, task: TASK, train, seed: 7 });
  try {
    for (let round = 0; round < TREE_ROUNDS; round++) booster.grow();
    booster.keep();
    return booster.save();
  } finally {
    booster.dispose();
  }
}
