import { z } from 'zod';
import { RatchetError } from '../../errors.ts';
import type { Tree, TreeEnsemble, TreeNode } from './ensemble.ts';

/**
 * Reads the JSON model of XGBoost 3 (gradient boosted trees with squared error, log loss or
 * softmax). Reference: XGBoost's JSON schema (doc/model.schema) and `RegTree::GetNext`. Everything
 * is float32 there.
 */

const refused = (what: string, cause?: unknown): RatchetError =>
  new RatchetError('onnx.trees', `not an XGBoost model that can be exported: ${what}`, { cause });

const ints = z.array(z.int());
const flags = z.array(z.union([z.boolean(), z.int()]));

const treeSchema = z.object({
  left_children: ints,
  right_children: ints,
  split_indices: ints,
  split_conditions: z.array(z.number()),
  default_left: flags,
  split_type: ints,
  categories: ints,
  categories_nodes: ints,
  categories_segments: ints,
  categories_sizes: ints,
  tree_param: z.object({ size_leaf_vector: z.string() }),
});
type JsonTree = z.output<typeof treeSchema>;

const modelSchema = z.object({
  learner: z.object({
    gradient_booster: z.object({
      name: z.literal('gbtree'),
      model: z.object({ trees: z.array(treeSchema), tree_info: ints }),
    }),
    learner_model_param: z.object({
      base_score: z.string(),
      num_class: z.string(),
      num_feature: z.string(),
    }),
    objective: z.object({
      name: z.enum(['reg:squarederror', 'binary:logistic', 'multi:softprob']),
    }),
  }),
});

const f32 = Math.fround;

/** Log-odds of a probability in float32, step by step as the library takes them. */
const logOdds = (p: number): number => f32(-f32(Math.log(f32(f32(1 / p) - 1))));

/** What every row's score starts from, one a target: trees are added to it. */
function startsOf(text: string, objective: string, targets: number): number[] {
  const scores = z.union([z.number(), z.array(z.number())]).parse(JSON.parse(text));
  const list = [scores].flat().map(f32);
  return Array.from({ length: targets }, (_, k) => {
    const score = list[k] ?? list[0]!;
    return objective === 'binary:logistic' ? logOdds(score) : score;
  });
}

/** Codes that go right at a categorical node. */
function membersOf(tree: JsonTree, i: number): number[] {
  const at = tree.categories_nodes.indexOf(i);
  const from = tree.categories_segments[at];
  if (from === undefined) throw refused('a split without its categories');
  return tree.categories.slice(from, from + tree.categories_sizes[at]!);
}

function treeOf(tree: JsonTree, target: number, features: number): Tree {
  const count = tree.left_children.length;
  if (Number(tree.tree_param.size_leaf_vector) > 1) throw refused('leaves of several values');
  for (const list of [tree.right_children, tree.split_indices, tree.split_conditions]) {
    if (list.length !== count) throw refused('a tree whose lists differ in length');
  }
  const leaves: number[] = [];
  let nodeCount = 0;
  // The root comes first, so nodes keep their order.
  const place = tree.left_children.map((left, i) =>
    left < 0 ? ~(leaves.push(f32(tree.split_conditions[i]!)) - 1) : nodeCount++,
  );
  const nodes = tree.left_children.flatMap((left, i): TreeNode[] => {
    if (left < 0) return [];
    const feature = tree.split_indices[i]!;
    const [ifLeft, ifRight] = [place[left], place[tree.right_children[i]!]];
    if (ifLeft === undefined || ifRight === undefined || left <= i) {
      throw refused('a tree that leads outside itself');
    }
    if (!(feature >= 0 && feature < features)) throw refused('a column that is not there');
    const missingLeft = Boolean(tree.default_left[i]);
    if (tree.split_type[i] === 1) {
      const split = { kind: 'oneOf', members: membersOf(tree, i) } as const;
      return [{ feature, split, missingIsYes: !missingLeft, yes: ifRight, no: ifLeft }];
    }
    const split = { kind: 'below', threshold: f32(tree.split_conditions[i]!) } as const;
    return [{ feature, split, missingIsYes: missingLeft, yes: ifLeft, no: ifRight }];
  });
  return { target, nodes, leaves };
}

/**
 * The trees of a JSON model; each target begins with a tree of one leaf, the score that the library
 * starts from, so that sums are taken in its order. Throws `onnx.trees` where the text is cut, or
 * of a kind that has no equal ONNX form.
 */
export function readXgBoost(text: string): TreeEnsemble {
  let parsed: z.output<typeof modelSchema>;
  try {
    parsed = modelSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw refused('its JSON is not what the library writes', cause);
  }
  const { gradient_booster, learner_model_param: param, objective } = parsed.learner;
  const { trees: given, tree_info: info } = gradient_booster.model;
  if (given.length !== info.length) throw refused('trees lack');
  const features = Number(param.num_feature);
  const targets = Math.max(1, Number(param.num_class));
  const starts = startsOf(param.base_score, objective.name, targets);
  const trees = [
    ...starts.map((start, target): Tree => ({ target, nodes: [], leaves: [start] })),
    ...given.map((tree, i) => treeOf(tree, info[i]!, features)),
  ];
  const categorical = new Set<number>();
  for (const { nodes } of trees) {
    for (const { feature, split } of nodes) if (split.kind === 'oneOf') categorical.add(feature);
  }
  return { features, targets, trees, precision: 'float32', categorical: [...categorical] };
}
