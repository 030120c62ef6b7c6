import { RatchetError } from '../../errors.ts';
import type { Tree, TreeEnsemble, TreeNode } from './ensemble.ts';

/**
 * Reads the model text of LightGBM 4 (gradient boosted trees; no forests, linear trees or
 * zero-as-missing: no family of ours makes them, they are refused). Reference: LightGBM's
 * `Tree::ToString`, `Tree::NumericalDecision` and `Tree::CategoricalDecision`.
 */

const refused = (what: string): RatchetError =>
  new RatchetError('onnx.trees', `not a LightGBM model that can be exported: ${what}`);

/** LightGBM reads every |x| up to this as 0 before it compares (kZeroThreshold). */
const ZERO = Math.fround(1e-35);
/**
 * `decision_type`: categorical split, NaN goes left, and two bits for the kind of missing value.
 */
const CATEGORICAL = 1;
const DEFAULT_LEFT = 2;
const MISSING = { none: 0, zero: 1, nan: 2 } as const;

/** The threshold that gives the same answers without rounding small values to 0 first. */
function absorbZero(threshold: number): number {
  if (Math.abs(threshold) > ZERO) return threshold;
  return threshold >= 0 ? ZERO : -ZERO * (1 + Number.EPSILON);
}

/** A split on "is missing" has the threshold inf, which Number() does not know. */
function numberOf(text: string): number {
  if (text === 'inf' || text === '-inf') return text === 'inf' ? Infinity : -Infinity;
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw refused(`${JSON.stringify(text)} is no number`);
  return value;
}

/** `name=value` lines. */
function fieldsOf(block: string): ReadonlyMap<string, string> {
  const lines = block.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return new Map(lines);
}

interface TreeLists {
  readonly feature: readonly number[];
  readonly threshold: readonly number[];
  readonly decision: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly leaves: readonly number[];
  readonly boundaries: readonly number[];
  readonly words: readonly number[];
}

function listsOf(block: string): TreeLists {
  const fields = fieldsOf(block);
  if (fields.get('is_linear') === '1') throw refused('linear trees');
  const list = (name: string): number[] => {
    const text = fields.get(name)?.trim() ?? '';
    return text === '' ? [] : text.split(' ').map(numberOf);
  };
  const lists = {
    feature: list('split_feature'),
    threshold: list('threshold'),
    decision: list('decision_type'),
    left: list('left_child'),
    right: list('right_child'),
    leaves: list('leaf_value'),
    boundaries: list('cat_boundaries'),
    words: list('cat_threshold'),
  };
  const nodes = lists.feature.length;
  for (const name of ['threshold', 'decision', 'left', 'right'] as const) {
    if (lists[name].length !== nodes) throw refused('a tree whose lists differ in length');
  }
  if (lists.leaves.length !== nodes + 1) throw refused('a tree without all of its leaves');
  return lists;
}

/** Category codes of a bit set: words [from, to) of the tree's `cat_threshold`. */
function membersOf({ boundaries, words }: TreeLists, set: number): number[] {
  const [from, to] = [boundaries[set], boundaries[set + 1]];
  if (from === undefined || to === undefined || to > words.length) throw refused('a cut category');
  const members: number[] = [];
  for (let word = from; word < to; word++) {
    for (let bit = 0; bit < 32; bit++) {
      if ((words[word]! >>> bit) & 1) members.push((word - from) * 32 + bit);
    }
  }
  return members;
}

function nodeOf(lists: TreeLists, i: number, features: number): TreeNode {
  const feature = lists.feature[i]!;
  const threshold = lists.threshold[i]!;
  const decision = lists.decision[i]!;
  const children = { yes: lists.left[i]!, no: lists.right[i]! };
  for (const child of [children.yes, children.no]) {
    const nodes = lists.feature.length;
    if (child >= nodes || ~child >= lists.leaves.length || (child >= 0 && child <= i)) {
      throw refused('a tree that leads outside itself');
    }
  }
  if (!(feature >= 0 && feature < features)) throw refused('a split on a column that is not there');
  if (decision & CATEGORICAL) {
    // NaN, negative and unseen categories are in no set: they go right.
    const split = { kind: 'oneOf', members: membersOf(lists, threshold) } as const;
    return { feature, split, missingIsYes: false, ...children };
  }
  const kind = (decision >> 2) & 3;
  if (kind === MISSING.zero) throw refused('zeros that count as missing');
  // Without missing values in the training rows NaN counts as 0.
  const missingIsYes = kind === MISSING.none ? 0 <= threshold : (decision & DEFAULT_LEFT) !== 0;
  const split = { kind: 'atMost', threshold: absorbZero(threshold) } as const;
  return { feature, split, missingIsYes, ...children };
}

/**
 * The trees of a model text. Throws `onnx.trees` where the text is cut, altered in its structure,
 * or of a kind that has no equal ONNX form.
 */
export function readLightGbm(text: string): TreeEnsemble {
  const end = text.indexOf('\nend of trees');
  if (end < 0) throw refused('the text has no end');
  const [head = '', ...blocks] = text.slice(0, end).split(/^Tree=\d+$/m);
  const fields = fieldsOf(head);
  if (/^average_output$/m.test(head)) throw refused('a forest, which averages');
  const sizes = fields.get('tree_sizes')?.trim() ?? '';
  if ((sizes === '' ? 0 : sizes.split(' ').length) !== blocks.length) throw refused('trees lack');
  const count = (name: string): number => numberOf(fields.get(name) ?? '');
  const features = count('max_feature_idx') + 1;
  const targets = count('num_tree_per_iteration');
  const categorical = new Set<number>();
  const trees = blocks.map((block, index): Tree => {
    const lists = listsOf(block);
    const nodes = lists.feature.map((_, i) => nodeOf(lists, i, features));
    for (const { feature, split } of nodes) if (split.kind === 'oneOf') categorical.add(feature);
    return { target: index % targets, nodes, leaves: lists.leaves };
  });
  return { features, targets, trees, precision: 'float64', categorical: [...categorical] };
}
