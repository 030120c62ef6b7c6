import type { Graph } from '../graph.ts';
import { cast } from '../layers.ts';

/** The question of a node; `yes` leads to the true child. */
export type Split =
  | { readonly kind: 'atMost'; readonly threshold: number }
  | { readonly kind: 'below'; readonly threshold: number }
  | { readonly kind: 'oneOf'; readonly members: readonly number[] };

/** A child is the index of a node, or `~leaf` for the leaf of that index. */
export interface TreeNode {
  readonly feature: number;
  readonly split: Split;
  /** Does NaN go to `yes`? */
  readonly missingIsYes: boolean;
  readonly yes: number;
  readonly no: number;
}

/** One tree; node 0 is its root. Without nodes it is its only leaf. */
export interface Tree {
  /** The output that its leaves are added to. */
  readonly target: number;
  readonly nodes: readonly TreeNode[];
  readonly leaves: readonly number[];
}

/** Trees whose leaves add up, output by output, in the order of the trees. */
export interface TreeEnsemble {
  /** Columns of a row. */
  readonly features: number;
  readonly targets: number;
  readonly trees: readonly Tree[];
  /** In which the library compares and adds; inputs are rounded to it first. */
  readonly precision: 'float32' | 'float64';
  /** Features that are category codes: their fraction is cut off before it is looked for. */
  readonly categorical: readonly number[];
}

/** Values of TreeEnsemble's `nodes_modes`. */
export const MODES = { atMost: 0, below: 1, oneOf: 6 } as const;

/** ONNX wants a root node even where a tree is one leaf. */
const lone: TreeNode = {
  feature: 0,
  split: { kind: 'atMost', threshold: 0 },
  missingIsYes: true,
  yes: ~0,
  no: ~0,
};

interface Columns {
  readonly roots: number[];
  readonly feature: number[];
  readonly mode: number[];
  readonly threshold: number[];
  readonly missingIsYes: number[];
  readonly yes: number[];
  readonly yesIsLeaf: number[];
  readonly no: number[];
  readonly noIsLeaf: number[];
  readonly members: number[];
  readonly weight: number[];
  readonly target: number[];
}

/** All trees one after the other, as the columns that the operator takes. */
function columnsOf(ensemble: TreeEnsemble): Columns {
  const c: Columns = {
    roots: [],
    feature: [],
    mode: [],
    threshold: [],
    missingIsYes: [],
    yes: [],
    yesIsLeaf: [],
    no: [],
    noIsLeaf: [],
    members: [],
    weight: [],
    target: [],
  };
  for (const tree of ensemble.trees) {
    const firstNode = c.feature.length;
    const firstLeaf = c.weight.length;
    const place = (child: number): number => (child < 0 ? firstLeaf + ~child : firstNode + child);
    c.roots.push(firstNode);
    for (const node of tree.nodes.length > 0 ? tree.nodes : [lone]) {
      const { split } = node;
      c.feature.push(node.feature);
      c.mode.push(MODES[split.kind]);
      c.threshold.push(split.kind === 'oneOf' ? 0 : split.threshold);
      // Each list of members ends with NaN.
      if (split.kind === 'oneOf') {
        for (const member of split.members) c.members.push(member);
        c.members.push(NaN);
      }
      c.missingIsYes.push(Number(node.missingIsYes));
      c.yes.push(place(node.yes));
      c.yesIsLeaf.push(Number(node.yes < 0));
      c.no.push(place(node.no));
      c.noIsLeaf.push(Number(node.no < 0));
    }
    for (const leaf of tree.leaves) {
      c.weight.push(leaf);
      c.target.push(tree.target);
    }
  }
  return c;
}

/**
 * Category codes without their fraction, towards zero: -0.5 is category 0, as a cast to int has it.
 */
function wholeCategories(g: Graph, x: string, ensemble: TreeEnsemble): string {
  if (ensemble.categorical.length === 0) return x;
  const Real = ensemble.precision === 'float64' ? Float64Array : Float32Array;
  const mask = new Real(ensemble.features);
  for (const feature of ensemble.categorical) mask[feature] = 1;
  const isCategory = g.op('Greater', [g.constant(mask), g.scalar(0.5, ensemble.precision)]);
  const whole = g.op('Mul', [g.op('Sign', [x]), g.op('Floor', [g.op('Abs', [x])])]);
  return g.op('Where', [isCategory, whole, x]);
}

/**
 * Adds the operator TreeEnsemble (ai.onnx.ml 5). x float64 [N, features] -> sums of leaves float64
 * [N, targets]. Comparisons and sums happen in the library's own precision and order, so that the
 * sums are its raw scores bit for bit (test/core/onnx/trees/bits.test.ts).
 */
export function addTreeEnsemble(g: Graph, x: string, ensemble: TreeEnsemble): string {
  const { precision } = ensemble;
  const Real = precision === 'float64' ? Float64Array : Float32Array;
  const c = columnsOf(ensemble);
  const input = wholeCategories(g, precision === 'float64' ? x : cast(g, x, precision), ensemble);
  const sums = g.mlOp('TreeEnsemble', [input], {
    n_targets: { int: ensemble.targets },
    aggregate_function: { int: 1 },
    post_transform: { int: 0 },
    tree_roots: { ints: c.roots },
    nodes_featureids: { ints: c.feature },
    nodes_modes: { tensor: Uint8Array.from(c.mode) },
    nodes_splits: { tensor: Real.from(c.threshold) },
    nodes_missing_value_tracks_true: { ints: c.missingIsYes },
    nodes_truenodeids: { ints: c.yes },
    nodes_trueleafs: { ints: c.yesIsLeaf },
    nodes_falsenodeids: { ints: c.no },
    nodes_falseleafs: { ints: c.noIsLeaf },
    leaf_targetids: { ints: c.target },
    leaf_weights: { tensor: Real.from(c.weight) },
    ...(c.members.length > 0 ? { membership_values: { tensor: Real.from(c.members) } } : {}),
  });
  return precision === 'float64' ? sums : cast(g, sums, 'float64');
}

/** Several ensembles over the same rows as one: their outputs stand side by side, in this order. */
export function joinEnsembles(ensembles: readonly TreeEnsemble[]): TreeEnsemble {
  let targets = 0;
  const trees: Tree[] = [];
  for (const ensemble of ensembles) {
    for (const tree of ensemble.trees) trees.push({ ...tree, target: targets + tree.target });
    targets += ensemble.targets;
  }
  const categorical = [...new Set(ensembles.flatMap((ensemble) => ensemble.categorical))];
  return { ...ensembles[0]!, targets, trees, categorical };
}
