import type { ExportContext } from '../../core/models/model.ts';
import type { Split, Tree, TreeEnsemble, TreeNode } from '../../core/onnx/trees/ensemble.ts';

type Uniform = () => number;
const whole = (uniform: Uniform, below: number): number => Math.floor(uniform() * below);

/** What random trees are like. */
export interface TreeShape {
  readonly features: number;
  readonly targets: number;
  readonly trees: number;
  /** Most leaves of a tree. */
  readonly leaves: number;
  readonly precision: TreeEnsemble['precision'];
}

const TIMES = [0, -0, 1, -1, Infinity, 1e-35, 1e300];

/** A tree grown at random leaves: deep and shallow ones, chains, and trees of one leaf. */
function randomTree(uniform: Uniform, shape: TreeShape, target: number): Tree {
  const real = shape.precision === 'float32' ? Math.fround : (value: number): number => value;
  const threshold = (): number =>
    real(uniform() < 0.1 ? TIMES[whole(uniform, TIMES.length)]! : whole(uniform, 9) / 4 - 1 + 1e-9);
  const splitOf = (): Split => ({
    kind: shape.precision === 'float32' || uniform() < 0.2 ? 'below' : 'atMost',
    threshold: threshold(),
  });
  const nodes: TreeNode[] = [];
  const leaves = [real(uniform() - 0.5)];
  // Where a leaf hangs: its node and side.
  const places: [node: number, side: 'yes' | 'no'][] = [];
  const most = 1 + whole(uniform, shape.leaves);
  const chain = uniform() < 0.2;
  while (leaves.length < most) {
    const split = chain ? leaves.length - 1 : whole(uniform, leaves.length);
    const at = nodes.length;
    const [feature, missingIsYes] = [whole(uniform, shape.features), uniform() < 0.5];
    nodes.push({ feature, missingIsYes, split: splitOf(), yes: ~split, no: ~leaves.length });
    const place = places[split];
    if (place) nodes[place[0]] = { ...nodes[place[0]]!, [place[1]]: at };
    places[split] = [at, 'yes'];
    places[leaves.length] = [at, 'no'];
    leaves.push(uniform() < 0.05 ? -0 : real((uniform() - 0.5) * 10 ** whole(uniform, 6)));
  }
  return { target, nodes, leaves };
}

export function randomTrees(uniform: Uniform, shape: TreeShape): TreeEnsemble {
  const { features, targets, precision } = shape;
  const byTurns = uniform() < 0.5;
  const trees = Array.from({ length: shape.trees }, (_, i) =>
    randomTree(uniform, shape, byTurns ? i % targets : whole(uniform, targets)),
  );
  return { features, targets, trees, precision, categorical: [] };
}

/** The doubles next to a number. */
export function neighbours(value: number): number[] {
  if (!Number.isFinite(value) || value === 0) return [Number.MIN_VALUE, -Number.MIN_VALUE];
  const real = Float64Array.of(value, value);
  const bits = new BigInt64Array(real.buffer);
  bits[0]! += 1n;
  bits[1]! -= 1n;
  return [...real];
}

const ODD = [0, -0, NaN, Infinity, -Infinity, 1e-36, -1e308, 0.5];

/** Rows [count x features] of values on the trees' thresholds, beside them, between them, and odd ones. */
export function probingRows(uniform: Uniform, ensemble: TreeEnsemble, count: number): Float64Array {
  const known = ensemble.trees.flatMap(({ nodes }) =>
    nodes.map(({ split }) => (split.kind === 'oneOf' ? 0 : split.threshold)),
  );
  known.push(0);
  const value = (): number => {
    const kind = uniform();
    const threshold = known[whole(uniform, known.length)]!;
    if (kind < 0.5) return 3 * uniform() - 1.5;
    if (kind < 0.75) return threshold;
    if (kind < 0.9) return neighbours(threshold)[whole(uniform, 2)]!;
    // Not in every row: those without NaN are walked in another way.
    return uniform() < 0.8 ? uniform() : ODD[whole(uniform, ODD.length)]!;
  };
  return Float64Array.from({ length: count * ensemble.features }, value);
}

/** A context for trees over `features` columns. */
export function treeContext(
  uniform: Uniform,
  of: Pick<ExportContext, 'horizons' | 'classes' | 'multiplyByClose'> & { features: number },
): ExportContext {
  const { features, ...task } = of;
  const scaler = (columns: number) => ({
    kind: 'standard' as const,
    offset: Array.from({ length: columns }, uniform),
    factor: Array.from({ length: columns }, () => 0.1 + 7 * uniform()),
  });
  return {
    featureNames: Array.from({ length: features }, (_, i) => `f${i}`),
    lookback: 3,
    scalers: { features: scaler(features), labels: scaler(task.horizons.length) },
    ...task,
  };
}
