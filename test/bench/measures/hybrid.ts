import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lightGbmEngine } from '../../../core/models/trees/lightgbm-engine.impl.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { buildHybridGraph } from '../../../core/onnx/trees/hybrid.ts';
import { randomNetwork, randomWindows, type NetworkShape } from '../../support/lstm-network.ts';
import { timedSide, type Measure } from '../measure.ts';
import { CLASSES, grownTrees, TREE_ROUNDS, treeRows } from '../workload-trees.ts';

const UNITS = 128;
/** The family's own network, on a day of the crypto features. */
const SHAPE: NetworkShape = {
  lookback: 24,
  features: 46,
  units: [UNITS, UNITS],
  dense: [],
  branch: 0,
  horizons: [4],
  rates: { dropout: 0.2, recurrentDropout: 0 },
  classes: CLASSES,
};
const ASKED = 500;

/**
 * Where its time goes (runtime's own profile, one thread): the two LSTM kernels 64 and 71 of 155 us, which is 10.6 MFLOP
 * at near 80 GFLOP/s, three quarters of what one core can do; the trees 6; the rest is small operators. Two threads
 * make it no faster.
 */
export const hybridPredict1: Measure = {
  name: 'hybrid-predict-1',
  docs: `One ${SHAPE.lookback} x ${SHAPE.features} window through two LSTM layers of ${UNITS} and ${CLASSES * TREE_ROUNDS} trees, model only: the exported graph, scaling included; PyTorch and LightGBM in Python, at their best.`,
  unit: 'ms',
  better: 'lower',
  target: 0.4,
  async open({ folder, peer }) {
    const { weights, ctx } = randomNetwork('bench', SHAPE);
    const trees = grownTrees(treeRows(SHAPE.features + UNITS));
    writeFileSync(join(folder, 'trees.txt'), trees);
    const session = await openSession(buildHybridGraph(weights, [lightGbmEngine.read(trees)], ctx));
    const dims = [1, SHAPE.lookback, SHAPE.features];
    const x = { data: randomWindows(ctx, 1, 'bench'), dims };
    const args = (threads: number): string[] => [
      folder,
      ...dims.slice(1).map(String),
      `${UNITS}`,
      `${threads}`,
    ];
    return {
      ours: { ...timedSide(() => session.run({ x }), ASKED), close: () => session.release() },
      peers: [await peer('hybrid.py', args(1)), await peer('hybrid.py', args(2))],
    };
  },
};
