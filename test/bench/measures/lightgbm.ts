import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lightGbmParams } from '../../../core/models/lightgbm.ts';
import type { TreeRows, TreeTask } from '../../../core/models/trees/engine.ts';
import { lightGbmEngine } from '../../../core/models/trees/lightgbm-engine.impl.ts';
import { buildTreeGraph } from '../../../core/onnx/trees/graph.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { type Measure, timedSide } from '../measure.ts';

const ROWS = 10_000;
const COLUMNS = 46;
const CLASSES = 3;
const ROUNDS = 100;
const TASK: TreeTask = { kind: 'multiclass', classes: CLASSES };
const PARAMS = lightGbmParams.parse({});
/** One-row predictions of one round of the measure. */
const ASKED = 2_000;

/** Noise, and a class that two columns and their product say something about. */
function rows(): TreeRows {
  const uniform = seededUniform(11);
  const x = Float64Array.from({ length: ROWS * COLUMNS }, () => uniform() + uniform() - 1);
  const y = Float64Array.from({ length: ROWS }, (_, i) => {
    const [a, b] = [x[i * COLUMNS]!, x[i * COLUMNS + 1]!];
    const score = a + 0.5 * b + a * b + uniform() - 0.5;
    return score < -0.4 ? 0 : score > 0.4 ? 2 : 1;
  });
  return { x, columns: COLUMNS, y };
}

function write(folder: string, { x, y }: TreeRows): void {
  writeFileSync(join(folder, 'x.f64'), x);
  writeFileSync(join(folder, 'y.f64'), y);
  // The peer grows the same trees: the same values under the library's own names.
  writeFileSync(join(folder, 'params.json'), JSON.stringify(PARAMS));
}

const unscaled = (columns: number) => ({
  kind: 'none' as const,
  offset: new Array<number>(columns).fill(0),
  factor: new Array<number>(columns).fill(1),
});

function grown(train: TreeRows): Uint8Array {
  const booster = lightGbmEngine.start({ params: PARAMS, task: TASK, train, seed: 7 });
  try {
    for (let round = 0; round < ROUNDS; round++) booster.grow();
    booster.keep();
    return booster.save();
  } finally {
    booster.dispose();
  }
}

export const lightgbmTrain: Measure = {
  name: 'lightgbm-train',
  docs: `${ROWS} rows x ${COLUMNS} columns, ${CLASSES} classes, ${ROUNDS} rounds, one thread, data set included.`,
  unit: 'ms',
  better: 'lower',
  target: 1.02,
  async open({ folder, peer }) {
    const train = rows();
    write(folder, train);
    return {
      ours: timedSide(() => grown(train), 1),
      peers: [await peer('lightgbm_trees.py', [folder, 'train', String(ROUNDS)])],
    };
  },
};

export const lightgbmPredict1: Measure = {
  name: 'lightgbm-predict-1',
  docs: `Class probabilities of one row by the ${CLASSES * ROUNDS} trees, model only: the exported graph, as it serves.`,
  unit: 'us',
  better: 'lower',
  target: 0.25,
  async open({ folder, peer }) {
    const train = rows();
    write(folder, train);
    const graph = buildTreeGraph([lightGbmEngine.read(grown(train))], {
      featureNames: Array.from({ length: COLUMNS }, (_, i) => `f${i}`),
      ...{ lookback: 1, horizons: [1], classes: CLASSES, multiplyByClose: false },
      scalers: { features: unscaled(COLUMNS), labels: unscaled(1) },
    });
    const session = await openSession(graph);
    const x = { data: train.x.slice(0, COLUMNS), dims: [1, 1, COLUMNS] };
    const ask = timedSide(() => session.run({ x }), ASKED);
    return {
      ours: {
        ...ask,
        round: async () => 1_000 * (await ask.round()),
        close: () => session.release(),
      },
      peers: [await peer('lightgbm_trees.py', [folder, 'predict', String(ROUNDS)])],
    };
  },
};
