import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TreeRows } from '../../../core/models/trees/engine.ts';
import { lightGbmEngine } from '../../../core/models/trees/lightgbm-engine.impl.ts';
import { buildTreeGraph } from '../../../core/onnx/trees/graph.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { type Measure, type Opened, type Side, spreadOf, timedSide } from '../measure.ts';
import { CLASSES, grownTrees, TREE_PARAMS, TREE_ROUNDS, treeRows } from '../workload-trees.ts';

const COLUMNS = 46;
/** One-row predictions of one round of the measure. */
const ASKED = 2_000;

function write(folder: string, { x, y }: TreeRows): void {
  writeFileSync(join(folder, 'x.f64'), x);
  writeFileSync(join(folder, 'y.f64'), y);
  // The peer grows the same trees: the same values under the library's own names.
  writeFileSync(join(folder, 'params.json'), JSON.stringify(TREE_PARAMS));
}

const unscaled = (columns: number) => ({
  kind: 'none' as const,
  offset: new Array<number>(columns).fill(0),
  factor: new Array<number>(columns).fill(1),
});

export const lightgbmTrain: Measure = {
  name: 'lightgbm-train',
  docs: `10,000 rows x ${COLUMNS} columns, ${CLASSES} classes, ${TREE_ROUNDS} rounds, one thread, data set included.`,
  unit: 'ms',
  better: 'lower',
  target: 1.02,
  async open({ folder, peer }) {
    const train = treeRows(COLUMNS);
    write(folder, train);
    return {
      ours: timedSide(() => grownTrees(train), 1),
      peers: [await peer('lightgbm_trees.py', [folder, 'train', String(TREE_ROUNDS)])],
    };
  },
};

/** `fast` has its round in each of ours, untimed by it, and its median beside. */
function besideFast(ours: Side, python: Side, fast: Side): Opened {
  const figures: number[] = [];
  return {
    ours: {
      name: ours.name,
      round: async () => {
        figures.push(await fast.round());
        return ours.round();
      },
      close: async () => {
        await ours.close();
        await fast.close();
      },
    },
    peers: [python],
    also: () => ({ 'LightGBM prepared call for one row, us': spreadOf(figures).median }),
  };
}

/**
 * Answered by our own evaluator (`core/onnx/trees`), which the graph names. Of 3 us the trees take 2.4, eight walked at a time to
 * the depth of the deepest of them, whatever the row; the softmax of plain operations 0.4; the rest is the promise and the row's
 * copy. onnxruntime takes some 18 for this graph (10.1 with the operator Softmax in the place of the written-out one), and half
 * as much again for rows that vary, whose branches no processor guesses. The peer is what Python programs call,
 * `booster.predict`; the library's own prepared call for one row, which Python programs reach by ctypes, stands beside.
 */
export const lightgbmPredict1: Measure = {
  name: 'lightgbm-predict-1',
  docs: `Class probabilities of one row by the ${CLASSES * TREE_ROUNDS} trees, model only: the exported graph, as it serves.`,
  unit: 'us',
  better: 'lower',
  target: 0.25,
  async open({ folder, peer }) {
    const train = treeRows(COLUMNS);
    write(folder, train);
    const graph = buildTreeGraph([lightGbmEngine.read(grownTrees(train))], {
      featureNames: Array.from({ length: COLUMNS }, (_, i) => `f${i}`),
      ...{ lookback: 1, horizons: [1], classes: CLASSES, multiplyByClose: false },
      scalers: { features: unscaled(COLUMNS), labels: unscaled(1) },
    });
    const session = await openSession(graph);
    const x = { data: train.x.slice(0, COLUMNS), dims: [1, 1, COLUMNS] };
    const ask = timedSide(() => session.run({ x }), ASKED);
    const fast = await peer('lightgbm_trees.py', [folder, 'fast', String(TREE_ROUNDS)]);
    return besideFast(
      {
        ...ask,
        round: async () => 1_000 * (await ask.round()),
        close: () => session.release(),
      },
      await peer('lightgbm_trees.py', [folder, 'predict', String(TREE_ROUNDS)]),
      fast,
    );
  },
};
