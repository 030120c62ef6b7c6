import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RatchetError } from '../../../../core/errors.ts';
import { readModel } from '../../../../core/onnx/embed.ts';
import {
  type AttributeProto,
  ELEMENT_TYPES,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from '../../../../core/onnx/onnx-format.ts';
import { encodeMessage } from '../../../../core/onnx/protobuf.ts';
import { buildTreeGraph } from '../../../../core/onnx/trees/graph.ts';
import { openTreeSession } from '../../../../core/onnx/trees/session.ts';
import { seededUniform } from '../../../../core/seeded-uniform.ts';
import { randomTrees, treeContext } from '../../../support/random-trees.ts';

/** Graphs of trees, each altered so that it is no longer what is answered here: every refusal of the readers. */

const FEATURES = 3;
const uniform = seededUniform(31);

function graphOf(
  task: { readonly horizons: number[]; readonly classes: number; multiplyByClose: boolean },
  precision: 'float32' | 'float64',
): Uint8Array {
  const ctx = treeContext(uniform, { features: FEATURES, ...task });
  const targets = ctx.classes > 2 ? ctx.classes : 1;
  const shape = { features: FEATURES, targets, trees: 12, leaves: 12, precision };
  return buildTreeGraph(
    ctx.horizons.map(() => randomTrees(uniform, shape)),
    ctx,
  );
}

const GRAPHS = {
  values: graphOf({ horizons: [3, 9], classes: 0, multiplyByClose: false }, 'float64'),
  floats: graphOf({ horizons: [3, 9], classes: 0, multiplyByClose: false }, 'float32'),
  prices: graphOf({ horizons: [5], classes: 0, multiplyByClose: true }, 'float64'),
  two: graphOf({ horizons: [1, 2], classes: 2, multiplyByClose: false }, 'float64'),
  three: graphOf({ horizons: [7, 8], classes: 3, multiplyByClose: false }, 'float64'),
};
type Base = keyof typeof GRAPHS;

const nodeOf = (graph: GraphProto, opType: string): NodeProto =>
  graph.node!.find((node) => node.opType === opType)!;

function attributeOf(graph: GraphProto, opType: string, name: string): AttributeProto {
  return nodeOf(graph, opType).attribute!.find((one) => one.name === name)!;
}

/** The constant that the first node of that operator has as its second input. */
function constantOf(graph: GraphProto, opType: string, at = 1): TensorProto {
  const name = nodeOf(graph, opType).input![at];
  return graph.initializer!.find((tensor) => tensor.name === name)!;
}

const whole = (...values: number[]) => ({
  dims: [values.length],
  dataType: ELEMENT_TYPES.int64,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

const doubles = (dims: number[], ...values: number[]) => ({
  ...{ dims, dataType: ELEMENT_TYPES.float64 },
  rawData: new Uint8Array(Float64Array.from(values).buffer),
});

const inTrees = (name: string, change: object) => (graph: GraphProto) => {
  Object.assign(attributeOf(graph, 'TreeEnsemble', name), change);
};
/** Changes one number of a list of whole numbers of the trees. */
const treeInt = (name: string, at: number, value: number) => (graph: GraphProto) => {
  attributeOf(graph, 'TreeEnsemble', name).ints![at] = value;
};
const inNode = (opType: string, change: (node: NodeProto) => void) => (graph: GraphProto) =>
  change(nodeOf(graph, opType));
const inConstant = (opType: string, to: object, at = 1) => {
  return (graph: GraphProto) => void Object.assign(constantOf(graph, opType, at), to);
};
const inAttribute = (opType: string, name: string, to: Partial<AttributeProto>) => {
  return (graph: GraphProto) => void Object.assign(attributeOf(graph, opType, name), to);
};
const renamed = (opType: string, to: string) => inNode(opType, (node) => (node.opType = to));

type Case = readonly [string, Base, (graph: GraphProto) => void, RegExp];

const OPERATORS: readonly Case[] = [
  ['an operator that is not known', 'values', renamed('Add', 'Mod'), /operator \.Mod/],
  ['a name of Object', 'values', renamed('Add', 'constructor'), /operator \.constructor/],
  ['no name', 'values', renamed('Add', ''), /operator \./],
  [
    'an operator of another domain',
    'values',
    inNode('Div', (node) => (node.domain = 'com.example')),
    /operator com\.example\.Div/,
  ],
  [
    'trees of the domain that has none',
    'values',
    inNode('TreeEnsemble', (node) => (node.domain = '')),
    /operator \.TreeEnsemble/,
  ],
  [
    'a third input',
    'three',
    inNode('Min', (node) => node.input!.push(node.input![0]!)),
    /Min of 3 inputs/,
  ],
  ['a missing input', 'values', inNode('Div', (node) => node.input!.pop()), /Div of 1 inputs/],
  ['no inputs', 'values', inNode('Div', (node) => (node.input = [])), /Div of 0 inputs/],
  [
    'a second output',
    'values',
    inNode('Div', (node) => node.output!.push('more')),
    /Div of other outputs/,
  ],
  ['an output too few', 'three', inNode('Split', (n) => n.output!.pop()), /Split of other outputs/],
  ['a power of another number', 'three', inConstant('Pow', doubles([], 0.25), 0), /operator Pow/],
  ['a power of several', 'three', inConstant('Pow', doubles([1], 0.5), 0), /operator Pow/],
  ['a power of another type', 'three', inConstant('Pow', whole(1), 0), /operator Pow/],
  ['a row of a row', 'values', renamed('TreeEnsemble', 'Gather'), /operator ai\.onnx\.ml\.Gather/],
];

const SHAPES: readonly Case[] = [
  ['another row', 'values', inConstant('Gather', { ...whole(1), dims: [] }), /not the newest/],
  ['rows', 'values', inConstant('Gather', whole(2)), /rows that are not/],
  ['another axis', 'values', inAttribute('Gather', 'axis', { i: 2 }), /rows that are not/],
  ['no axis', 'values', inNode('Gather', (node) => (node.attribute = [])), /rows that are not/],
  ['an index that is real', 'values', inConstant('Gather', doubles([], 2)), /no whole constant/],
  ['another type', 'floats', inAttribute('Cast', 'to', { i: ELEMENT_TYPES.int64 }), /of type/],
  ['a constant of whole numbers', 'values', inConstant('Div', whole(1, 1)), /is no double/],
  ['shapes that do not fit', 'values', inConstant('Div', doubles([3], 1, 2, 3)), /its shapes/],
  ['a shape of more axes', 'values', inConstant('Div', doubles([1, 1, 2], 1, 2)), /its shapes/],
  ['another axis', 'three', inConstant('ReduceMax', whole(1)), /its axes/],
  ['several axes', 'three', inConstant('ReduceMax', whole(-1, 1)), /its axes/],
  ['a lost axis', 'three', inAttribute('ReduceMax', 'keepdims', { i: 0 }), /its shapes/],
  ['parts of another axis', 'three', inAttribute('Split', 'axis', { i: 1 }), /its parts/],
  ['fewer parts', 'three', inAttribute('Split', 'num_outputs', { i: 2 }), /its parts/],
  ['the axis of rows', 'two', inConstant('Unsqueeze', whole(0)), /its axes/],
  ['an axis that is not there', 'two', inConstant('Unsqueeze', whole(4)), /its axes/],
  ['two axes', 'two', inConstant('Unsqueeze', whole(2, 3)), /its axes/],
  ['rows in one', 'two', inConstant('Reshape', whole(1, -1)), /mixes rows/],
  ['another size', 'two', inConstant('Reshape', whole(-1, 8)), /mixes rows/],
  ['a size of 0', 'two', inConstant('Reshape', whole(-1, 0)), /mixes rows/],
  ['the windows in a sum', 'values', inNode('Div', (n) => (n.input![0] = 'x')), /x is no number/],
  ['an unknown name', 'values', inNode('Div', (n) => (n.input![0] = 'q')), /q is no number/],
  ['no answer', 'values', inNode('Identity', (n) => (n.output = ['z'])), /y is no number/],
  ['another input', 'values', (graph) => graph.input!.push({ name: 'mask' }), /the input mask/],
  [
    'windows of no size',
    'values',
    (graph) => (graph.input!.find(({ name }) => name === 'x')!.type = {}),
    /no size/,
  ],
  ['an answer of another width', 'values', wider('output', 1, 3), /another width/],
];

/** Another size of an axis of the first input or output. */
function wider(of: 'input' | 'output', axis: number, size: number) {
  return (graph: GraphProto): void => {
    graph[of]![0]!.type!.tensorType!.shape!.dim![axis] = { dimValue: size };
  };
}

/** A second operator of trees, of another precision, in the place of the numbers that are added. */
function twoPrecisions(graph: GraphProto): void {
  const other = readModel(GRAPHS.floats).graph.node!.slice(0, 4);
  const at = graph.node!.findIndex(({ opType }) => opType === 'TreeEnsemble') + 1;
  const cast = other.filter(({ opType }) => opType === 'Cast' || opType === 'TreeEnsemble');
  const name = (text: string): string => `other/${text}`;
  const moved = cast.map((node, i) => ({
    ...node,
    input: i === 0 ? [nodeOf(graph, 'Gather').output![0]!] : node.input!.map(name),
    output: node.output!.map(name),
  }));
  graph.node!.splice(at, 0, ...moved);
}

function noTrees(graph: GraphProto): void {
  const trees = nodeOf(graph, 'TreeEnsemble');
  graph.node = graph.node!.filter((node) => node !== trees);
  const sums = trees.output![0]!;
  graph.node.forEach((node) => {
    node.input = node.input!.map((name) => (name === sums ? 'close' : name));
  });
}

const TREES: readonly Case[] = [
  ['an unknown attribute', 'values', inTrees('post_transform', { name: 'odd' }), /attribute odd/],
  ['a mean of leaves', 'values', inTrees('aggregate_function', { i: 0 }), /not added up/],
  ['a function behind', 'values', inTrees('post_transform', { i: 1 }), /not added up/],
  ['no leaves', 'values', inTrees('leaf_weights', { t: undefined }), /mixed precision|no leaf/],
  ['no modes', 'values', inTrees('nodes_modes', { t: undefined }), /no nodes_modes/],
  ['lists of two lengths', 'values', inTrees('nodes_trueleafs', { ints: [1] }), /in length/],
  ['leaves of no output', 'values', inTrees('leaf_targetids', { ints: [0] }), /in length/],
  ['another question', 'values', oddMode, /mode 3/],
  ['a column that is not there', 'values', treeInt('nodes_featureids', 0, 3), /a column/],
  ['a column before the first', 'values', treeInt('nodes_featureids', 0, -1), /a column/],
  ['a root that is not there', 'values', treeInt('tree_roots', 0, 1e6), /a root/],
  ['trees again and again', 'prices', againAndAgain, /share nodes/],
  ['a leaf of an output that is not there', 'values', leaves(9), /several outputs/],
  ['a node that leads to itself', 'values', circle, /outside itself/],
  ['a leaf that is not there', 'values', lostLeaf, /a leaf that is not there/],
  ['no outputs', 'values', inTrees('n_targets', { i: 0 }), /0 outputs/],
  ['outputs without end', 'values', inTrees('n_targets', { i: 2 ** 40 }), /1099511627776 outputs/],
  ['rows of another precision', 'floats', skipCast, /of another precision/],
  ['trees of two precisions', 'values', twoPrecisions, /several precisions/],
  ['no trees', 'prices', noTrees, /no trees/],
  ['a table without end', 'values', outerProducts, /too wide/],
];

function oddMode(graph: GraphProto): void {
  const { t } = attributeOf(graph, 'TreeEnsemble', 'nodes_modes');
  t!.rawData = Uint8Array.from(t!.rawData!, () => 3);
}

function leaves(target: number) {
  return (graph: GraphProto): void => {
    const one = attributeOf(graph, 'TreeEnsemble', 'leaf_targetids');
    one.ints = one.ints!.map(() => target);
  };
}

function againAndAgain(graph: GraphProto): void {
  const one = attributeOf(graph, 'TreeEnsemble', 'tree_roots');
  one.ints = Array.from({ length: 500 }, () => 0);
}

function circle(graph: GraphProto): void {
  attributeOf(graph, 'TreeEnsemble', 'nodes_trueleafs').ints![0] = 0;
  attributeOf(graph, 'TreeEnsemble', 'nodes_truenodeids').ints![0] = 0;
}

function lostLeaf(graph: GraphProto): void {
  attributeOf(graph, 'TreeEnsemble', 'nodes_trueleafs').ints![0] = 1;
  attributeOf(graph, 'TreeEnsemble', 'nodes_truenodeids').ints![0] = 1e6;
}

function skipCast(graph: GraphProto): void {
  nodeOf(graph, 'TreeEnsemble').input = [nodeOf(graph, 'Gather').output![0]!];
}

/** [1, n] times [n, 1] of constants and the answer, again and again. */
function outerProducts(graph: GraphProto): void {
  const { input, output } = nodeOf(graph, 'Div');
  const size = 200;
  const many = doubles([size, 1, 1], ...new Array<number>(size).fill(1));
  const across = doubles([size, 1], ...new Array<number>(size).fill(1));
  graph.initializer!.push({ ...many, name: 'many' }, { ...across, name: 'across' });
  graph.initializer!.push({ ...whole(-1, 1, 1, 2), name: 'shape' });
  const before = { opType: 'Reshape', input: [input![0]!, 'shape'], output: ['lifted'] };
  const nodes = [
    before,
    { opType: 'Mul', input: ['lifted', 'many'], output: ['once'] },
    { opType: 'Mul', input: ['once', 'across'], output: ['twice'] },
  ];
  const at = graph.node!.findIndex((node) => node.output![0] === output![0]);
  graph.node!.splice(at, 0, ...nodes);
}

for (const [title, cases] of Object.entries({ OPERATORS, SHAPES, TREES })) {
  describe(`graphs that are refused: ${title.toLowerCase()}`, () => {
    for (const [what, base, change, message] of cases) {
      it(`${what} (${base})`, () => {
        const model = readModel(GRAPHS[base]);
        openTreeSession(encodeMessage('Model', model));
        change(model.graph);
        assert.throws(
          () => openTreeSession(encodeMessage('Model', model)),
          (error) => {
            assert.ok(error instanceof RatchetError && error.cause instanceof RatchetError);
            assert.equal(error.code, 'onnx.open');
            assert.equal(error.cause.code, 'onnx.trees');
            assert.match(error.cause.message, message);
            return true;
          },
        );
      });
    }
  });
}
