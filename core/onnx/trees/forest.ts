import { RatchetError } from '../../errors.ts';
import { columnMemoryIfAny } from '../../wasm.ts';
import type { Tree, TreeEnsemble, TreeNode } from './ensemble.ts';
import { FOREST_PROGRAMS, GROUP, NODE, TOGETHER } from './forest-program.ts';

/** Addresses are compared as signed numbers; a package's graph is smaller by far. */
const BYTES_MAX = 2 ** 30;

/** The largest double below a number that is not -Infinity. */
function below(value: number): number {
  if (value === 0) return -Number.MIN_VALUE;
  const real = Float64Array.of(value);
  const bits = new BigInt64Array(real.buffer);
  bits[0]! += value > 0 ? -1n : 1n;
  return real[0]!;
}

/** The threshold t of `x <= t`; undefined where the question is another one. */
function thresholdOf({ split }: TreeNode): number | undefined {
  if (split.kind === 'oneOf' || Number.isNaN(split.threshold)) return undefined;
  if (split.kind === 'atMost') return split.threshold;
  return split.threshold === -Infinity ? undefined : below(split.threshold);
}

/**
 * Are all questions of these trees whether a value is up to a threshold, and is there room for
 * them?
 */
export const isForest = (ensemble: TreeEnsemble): boolean =>
  ensemble.trees.every(({ nodes }) => nodes.every((node) => thresholdOf(node) !== undefined)) &&
  layoutOf(ensemble).end < BYTES_MAX;

/** Splits between the root and the leaf farthest from it. */
function depthOf({ nodes }: Tree): number {
  const depths = new Int32Array(nodes.length);
  let most = nodes.length > 0 ? 1 : 0;
  nodes.forEach(({ yes, no }, i) => {
    for (const child of [yes, no]) {
      if (child < 0) continue;
      depths[child] = depths[i]! + 1;
      most = Math.max(most, depths[child]! + 1);
    }
  });
  return most;
}

interface Layout {
  readonly features: number;
  /** Addresses of sums, terms, groups and nodes, and behind all. */
  readonly sums: number;
  readonly terms: number;
  readonly groups: number;
  readonly nodes: number;
  readonly end: number;
  /** Targets, made even. */
  readonly width: number;
  /** Trees of the target that has most. */
  readonly rounds: number;
}

function layoutOf({ features, targets, trees }: TreeEnsemble): Layout {
  const width = targets + (targets % 2);
  const counts = new Int32Array(width);
  for (const { target } of trees) counts[target]!++;
  const rounds = counts.reduce((most, count) => Math.max(most, count), 0);
  // The row, and -Infinity behind it.
  const sums = 16 * Math.ceil((features + 1) / 2);
  const terms = sums + 8 * width;
  // Behind the terms a place for those of trees that only fill a group.
  const groups = terms + 8 * width * rounds + 16;
  const last = groups + GROUP.bytes * Math.ceil(trees.length / TOGETHER);
  const nodes = 64 * Math.ceil(last / 64);
  // A node and a hole, so that two children lie in one line of the cache.
  const size = trees.reduce((sum, tree) => sum + 2 * NODE.bytes * (1 + tree.nodes.length), 0);
  return {
    features,
    sums,
    terms,
    groups,
    nodes,
    end: nodes + size + 2 * NODE.bytes,
    width,
    rounds,
  };
}

/** The memory of a forest, seen as what lies in it. */
interface Views {
  readonly real: Float64Array;
  readonly whole: Int32Array;
  /** By node: does NaN go to its first child? */
  readonly missingIsYes: Uint8Array;
}

function writeLeaf({ real, whole }: Views, node: number, value: number, layout: Layout): void {
  real[node / 8] = value;
  // Nothing is below -Infinity: a leaf leads to itself.
  whole[(node + NODE.value) / 4] = 8 * layout.features;
  whole[(node + NODE.child) / 4] = node;
}

/** Writes a tree whose root is at `root`; gives the address behind it. */
function writeTree(views: Views, tree: Tree, root: number, layout: Layout): number {
  const addresses = new Int32Array(tree.nodes.length);
  addresses[0] = root;
  let next = root + NODE.bytes;
  if (tree.nodes.length === 0) writeLeaf(views, root, tree.leaves[0]!, layout);
  tree.nodes.forEach((node, i) => {
    const own = addresses[i]!;
    views.real[own / 8] = thresholdOf(node)!;
    views.whole[(own + NODE.value) / 4] = 8 * node.feature;
    views.whole[(own + NODE.child) / 4] = next;
    views.missingIsYes[own / NODE.bytes] = Number(node.missingIsYes);
    for (const child of [node.yes, node.no]) {
      if (child < 0) writeLeaf(views, next, tree.leaves[~child]!, layout);
      else addresses[child] = next;
      next += NODE.bytes;
    }
  });
  return next;
}

/**
 * Writes trees, groups and the terms of no tree; trees of like depth stand together, so that few
 * wait for others.
 */
function writeForest(views: Views, { trees }: TreeEnsemble, layout: Layout): void {
  const { terms, groups, nodes, width, rounds } = layout;
  views.real[layout.features] = -Infinity;
  // What is added where a target has fewer trees than another: it changes no sum, not even the sign
  // of 0.
  views.real.fill(-0, terms / 8, terms / 8 + width * rounds);
  const counts = new Int32Array(width);
  let root = nodes + NODE.bytes;
  writeLeaf(views, root, -0, layout);
  const idle = { root, place: terms + 8 * width * rounds };
  root += 2 * NODE.bytes;
  const placed = trees.map((tree) => {
    const place = terms + 8 * (width * counts[tree.target]!++ + tree.target);
    const one = { root, place, depth: depthOf(tree) };
    root = writeTree(views, tree, root, layout) + NODE.bytes;
    return one;
  });
  placed.sort((a, b) => b.depth - a.depth);
  for (let from = 0; from < placed.length; from += TOGETHER) {
    const group = groups + (from / TOGETHER) * GROUP.bytes;
    views.whole[group / 4] = placed[from]!.depth;
    for (let i = 0; i < TOGETHER; i++) {
      const one = placed[from + i] ?? idle;
      views.whole[(group + GROUP.root + 8 * i) / 4] = one.root;
      views.whole[(group + GROUP.place + 8 * i) / 4] = one.place;
    }
  }
}

/** Boosted trees, ready to be asked. */
export interface Forest {
  /** Of the row that was asked last, by target; written anew by the next question. */
  readonly sums: Float64Array;
  /**
   * Sums of the leaves for the row of `x` that begins at `from`: the bits of the operator
   * TreeEnsemble.
   */
  ask(x: Float64Array, from: number): void;
}

/**
 * Trees whose sums have the bits of the operator TreeEnsemble: the same questions, leaves added in
 * float32 or float64 in the order of the trees. Throws `onnx.trees` where `isForest` does not hold.
 */
export function forestOf(ensemble: TreeEnsemble): Forest {
  if (!isForest(ensemble)) throw new RatchetError('onnx.trees', 'trees with other questions');
  const layout = layoutOf(ensemble);
  const memory = columnMemoryIfAny(layout.end);
  const buffer = memory?.buffer ?? new ArrayBuffer(16 * Math.ceil(layout.end / 16));
  const views: Views = {
    real: new Float64Array(buffer),
    whole: new Int32Array(buffer),
    missingIsYes: new Uint8Array(Math.ceil(layout.end / NODE.bytes)),
  };
  writeForest(views, ensemble, layout);
  const { features, sums, terms, groups, width, rounds } = layout;
  const { real } = views;
  const rounded = ensemble.precision === 'float32';
  const count = Math.ceil(ensemble.trees.length / TOGETHER);
  const program = memory && FOREST_PROGRAMS[ensemble.precision](memory);
  return {
    sums: real.subarray(sums / 8, sums / 8 + ensemble.targets),
    ask(x, from) {
      let missing = false;
      for (let i = 0; i < features; i++) {
        const value = rounded ? Math.fround(x[from + i]!) : x[from + i]!;
        missing ||= Number.isNaN(value);
        real[i] = value;
      }
      const [groupsEnd, termsEnd] = [groups + count * GROUP.bytes, terms + 8 * width * rounds];
      if (program && !missing) {
        program(groups, groupsEnd, terms, termsEnd, 8 * width, sums, sums + 8 * width);
      } else askPlainly(views, layout, count, rounded);
    },
  };
}

/** The same, node by node: NaN goes where each node says, which the program does not look at. */
function askPlainly(views: Views, layout: Layout, count: number, rounded: boolean): void {
  const { real, whole, missingIsYes } = views;
  for (let group = 0; group < count; group++) {
    const from = (layout.groups + group * GROUP.bytes) / 4;
    for (let i = 0; i < TOGETHER; i++) {
      let node = whole[from + GROUP.root / 4 + 2 * i]!;
      for (;;) {
        const child = whole[(node + NODE.child) / 4]!;
        if (child === node) break;
        const value = real[whole[(node + NODE.value) / 4]! / 8]!;
        const yes = Number.isNaN(value)
          ? missingIsYes[node / NODE.bytes] === 1
          : value <= real[node / 8]!;
        node = yes ? child : child + NODE.bytes;
      }
      real[whole[from + GROUP.place / 4 + 2 * i]! / 8] = real[node / 8]!;
    }
  }
  const { width, rounds } = layout;
  for (let target = 0; target < width; target++) {
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      sum += real[layout.terms / 8 + round * width + target]!;
      if (rounded) sum = Math.fround(sum);
    }
    real[layout.sums / 8 + target] = sum;
  }
}
