import { RatchetError } from '../../errors.ts';
import { ELEMENT_TYPES, type AttributeProto, type NodeProto } from '../onnx-format.ts';
import { valuesOf } from '../tensor-values.ts';
import { MODES, type Split, type Tree, type TreeEnsemble, type TreeNode } from './ensemble.ts';

const refused = (what: string): RatchetError =>
  new RatchetError('onnx.trees', `not an ensemble of trees that is walked here: ${what}`);

type Attributes = ReadonlyMap<string, AttributeProto>;
type Numbers = ArrayLike<number>;

/** The operator's attributes, as `addTreeEnsemble` writes them. */
interface Columns {
  readonly feature: Numbers;
  readonly mode: Numbers;
  readonly threshold: Numbers;
  readonly missingIsYes: Numbers;
  readonly yes: Numbers;
  readonly yesIsLeaf: Numbers;
  readonly no: Numbers;
  readonly noIsLeaf: Numbers;
  readonly target: Numbers;
  readonly weight: Numbers;
}

const KNOWN: ReadonlySet<string> = new Set([
  ...['n_targets', 'aggregate_function', 'post_transform', 'tree_roots'],
  ...['nodes_featureids', 'nodes_modes', 'nodes_splits', 'nodes_missing_value_tracks_true'],
  ...['nodes_truenodeids', 'nodes_trueleafs', 'nodes_falsenodeids', 'nodes_falseleafs'],
  ...['leaf_targetids', 'leaf_weights'],
]);

const ints = (of: Attributes, name: string): readonly number[] => of.get(name)?.ints ?? [];

function tensor(of: Attributes, name: string): Float64Array {
  const given = of.get(name)?.t;
  if (given === undefined) throw refused(`no ${name}`);
  return valuesOf(given);
}

function columnsOf(of: Attributes): Columns {
  const columns = {
    feature: ints(of, 'nodes_featureids'),
    mode: tensor(of, 'nodes_modes'),
    threshold: tensor(of, 'nodes_splits'),
    missingIsYes: ints(of, 'nodes_missing_value_tracks_true'),
    yes: ints(of, 'nodes_truenodeids'),
    yesIsLeaf: ints(of, 'nodes_trueleafs'),
    no: ints(of, 'nodes_falsenodeids'),
    noIsLeaf: ints(of, 'nodes_falseleafs'),
  };
  const lengths = new Set(Object.values(columns).map(({ length }) => length));
  const leaves = { target: ints(of, 'leaf_targetids'), weight: tensor(of, 'leaf_weights') };
  if (lengths.size !== 1 || leaves.target.length !== leaves.weight.length) {
    throw refused('lists that differ in length');
  }
  return { ...columns, ...leaves };
}

function splitOf({ mode, threshold }: Columns, node: number): Split {
  if (mode[node] === MODES.atMost) return { kind: 'atMost', threshold: threshold[node]! };
  if (mode[node] === MODES.below) return { kind: 'below', threshold: threshold[node]! };
  throw refused(`a question of mode ${mode[node]}`);
}

/** The tree of that root, its nodes from the root downwards. */
function treeAt(columns: Columns, root: number, features: number, targets: number): Tree {
  const { feature, missingIsYes, yes, yesIsLeaf, no, noIsLeaf, target, weight } = columns;
  const order = [root];
  const nodes: TreeNode[] = [];
  const leaves: number[] = [];
  const own = new Set<number>();
  const child = (from: number, to: number, isLeaf: boolean): number => {
    if (isLeaf) {
      if (!(to >= 0 && to < weight.length)) throw refused('a leaf that is not there');
      own.add(target[to]!);
      return ~(leaves.push(weight[to]!) - 1);
    }
    // Later ones only, and no more than there are: a walk ends.
    if (!(to > from && to < feature.length) || order.length >= feature.length) {
      throw refused('a tree that leads outside itself');
    }
    return order.push(to) - 1;
  };
  for (let i = 0; i < order.length; i++) {
    const at = order[i]!;
    if (!(feature[at]! >= 0 && feature[at]! < features))
      throw refused('a column that is not there');
    nodes.push({
      feature: feature[at]!,
      split: splitOf(columns, at),
      missingIsYes: missingIsYes[at] === 1,
      yes: child(at, yes[at]!, yesIsLeaf[at] === 1),
      no: child(at, no[at]!, noIsLeaf[at] === 1),
    });
  }
  const [only = -1, ...others] = own;
  if (others.length > 0 || !(only >= 0 && only < targets))
    throw refused('leaves of several outputs');
  return { target: only, nodes, leaves };
}

/**
 * The trees of an operator TreeEnsemble over rows of `features` columns, as `addTreeEnsemble` wrote
 * them, in a file of `fileBytes`. Throws `onnx.trees` for what it would not have written, and for
 * categories.
 */
export function readTreeEnsemble(
  node: NodeProto,
  features: number,
  fileBytes: number,
): TreeEnsemble {
  const of: Attributes = new Map((node.attribute ?? []).map((one) => [one.name ?? '', one]));
  const unknown = [...of.keys()].find((name) => !KNOWN.has(name));
  if (unknown !== undefined) throw refused(`attribute ${unknown}`);
  const number = (name: string): number => of.get(name)?.i ?? 0;
  if (number('aggregate_function') !== 1 || number('post_transform') !== 0) {
    throw refused('leaves that are not added up');
  }
  const types = ['nodes_splits', 'leaf_weights'].map((name) => of.get(name)?.t?.dataType);
  const precision = types[0] === ELEMENT_TYPES.float32 ? 'float32' : 'float64';
  if (types.some((type) => type !== ELEMENT_TYPES[precision])) throw refused('mixed precision');
  const targets = number('n_targets');
  // Each has a tree at least.
  if (!(targets >= 1 && targets <= fileBytes)) throw refused(`${targets} outputs`);
  const columns = columnsOf(of);
  // Trees share no nodes, so that all of them take no more room than the file.
  let left = columns.feature.length;
  const trees = ints(of, 'tree_roots').map((root) => {
    if (!(root >= 0 && root < columns.feature.length)) throw refused('a root that is not there');
    const tree = treeAt(columns, root, features, targets);
    left -= tree.nodes.length;
    if (left < 0) throw refused('trees that share nodes');
    return tree;
  });
  return { features, targets, trees, precision, categorical: [] };
}
