import { RatchetError } from '../../../errors.ts';
import { Message } from './message.ts';

/** TensorFlow's numbers of the types that our programs have. */
export const DATA_TYPES = { float32: 1, int32: 3, bool: 10 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** A value inside a function: how nodes name it as their input, and what it is. */
export interface Ref {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

/** An attribute of a node, encoded as AttrValue. */
export type Attributes = Readonly<Record<string, Message>>;

/**
 * Names of the outputs of the operations that programs are made of, which a function's nodes are
 * wired by; a repeated output has one name. Source: the operations' own definitions in TensorFlow.
 */
const OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  ...of('z', 'Add AddV2 Sub Mul RealDiv Maximum Minimum Greater GreaterEqual Less LessEqual Equal'),
  ...of('z', 'LogicalAnd LogicalOr NotEqual SquaredDifference Pow'),
  ...of('y', 'Sqrt Rsqrt Square Neg Exp Log ZerosLike OnesLike Cast Transpose Sigmoid Tanh Erf'),
  ...of('y', 'Abs Sign IsNan LogicalNot'),
  ...of(
    'output',
    'Select SelectV2 Slice Reshape BatchMatMulV2 SplitV PadV2 Fill ConcatV2 Sum Mean',
  ),
  ...of('output', 'Max Prod StatelessRandomUniform GatherV2 BiasAdd BiasAddGrad OneHot Pack Tile'),
  ...of('output', 'Unpack GatherNd Squeeze Split Einsum ReverseV2 BroadcastTo'),
  ...of('output', 'ExpandDims Identity StatelessWhile XlaDynamicUpdateSlice Const StridedSlice'),
  ...of('activations', 'Relu'),
  ...of('backprops', 'ReluGrad'),
  ...of('softmax', 'Softmax'),
  ...of('logsoftmax', 'LogSoftmax'),
  ...of('product', 'MatMul'),
  FusedBatchNormV3: [
    ...['y', 'batch_mean', 'batch_variance'],
    ...['reserve_space_1', 'reserve_space_2', 'reserve_space_3'],
  ],
  FusedBatchNormGradV3: [
    ...['x_backprop', 'scale_backprop', 'offset_backprop'],
    ...['reserve_space_4', 'reserve_space_5'],
  ],
};

function of(output: string, names: string): Record<string, readonly string[]> {
  return Object.fromEntries(names.split(' ').map((name) => [name, [output]]));
}

export const attr = {
  type: (dtype: DataType) => new Message().int(6, DATA_TYPES[dtype]),
  /** By TensorFlow's number of the type. */
  typeNumber: (number: number) => new Message().int(6, number),
  types: (dtypes: readonly DataType[]) => {
    const list = new Message();
    for (const dtype of dtypes) list.int(6, DATA_TYPES[dtype]);
    return new Message().message(1, list);
  },
  bool: (value: boolean) => new Message().int(5, value ? 1 : 0),
  int: (value: number) => new Message().int(3, value),
  float: (value: number) => new Message().float(4, value),
  text: (value: string) => new Message().text(2, value),
  shape: (dims: readonly number[]) => new Message().message(7, shapeOf(dims)),
  func: (name: string) => new Message().message(10, new Message().text(1, name)),
  tensor: (values: Float32Array | Int32Array | Uint8Array, dims: readonly number[]) =>
    new Message().message(8, tensorOf(values, dims)),
};

function shapeOf(dims: readonly number[]): Message {
  const shape = new Message();
  for (const dim of dims) shape.message(2, new Message().int(1, dim));
  return shape;
}

const dtypeOf = (values: Float32Array | Int32Array | Uint8Array): DataType =>
  values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'bool';

function tensorOf(
  values: Float32Array | Int32Array | Uint8Array,
  dims: readonly number[],
): Message {
  return new Message()
    .int(1, DATA_TYPES[dtypeOf(values)])
    .message(2, shapeOf(dims))
    .bytes(4, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

function nodeOf(
  op: string,
  name: string,
  inputs: readonly string[],
  attributes: Attributes,
): Message {
  const node = new Message().text(1, name).text(2, op);
  for (const input of inputs) node.text(3, input);
  for (const [key, value] of Object.entries(attributes)) node.entry(5, key, value);
  return node;
}

/** Where a value of a node's outputs is expected. */
export type Sized = Pick<Ref, 'shape' | 'dtype'>;

/** A function of TensorFlow's graphs, grown node by node. */
export class FunctionBuilder {
  readonly name: string;
  readonly #args: Ref[] = [];
  readonly #nodes: Message[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get args(): readonly Ref[] {
    return this.#args;
  }

  arg({ shape, dtype }: Sized): Ref {
    const ref = { name: `arg${this.#args.length}`, shape, dtype };
    this.#args.push(ref);
    return ref;
  }

  constant(values: Float32Array | Int32Array | Uint8Array, shape: readonly number[]): Ref {
    const dtype = dtypeOf(values);
    const attributes = { dtype: attr.type(dtype), value: attr.tensor(values, shape) };
    return this.node('Const', [], attributes, [{ shape, dtype }])[0]!;
  }

  /** Throws `training.program` for an operation whose outputs are not known here. */
  node(
    op: string,
    inputs: readonly Ref[],
    attributes: Attributes,
    outputs: readonly Sized[],
  ): Ref[] {
    const names = OUTPUTS[op];
    if (!names) throw new RatchetError('training.program', `no program can have a ${op}`);
    const name = `n${this.#nodes.length}`;
    this.#nodes.push(
      nodeOf(
        op,
        name,
        inputs.map((input) => input.name),
        attributes,
      ),
    );
    const repeated = names.length === 1;
    return outputs.map(({ shape, dtype }, i) => ({
      name: repeated ? `${name}:${names[0]}:${i}` : `${name}:${names[i]}:0`,
      ...{ shape, dtype },
    }));
  }

  /** FunctionDef. */
  encode(outputs: readonly Ref[], attributes: Attributes = {}): Message {
    const signature = new Message().text(1, this.name);
    const argument = ({ name, dtype }: Ref): Message =>
      new Message().text(1, name).int(3, DATA_TYPES[dtype]);
    for (const arg of this.#args) signature.message(2, argument(arg));
    outputs.forEach((ref, i) => signature.message(3, argument({ ...ref, name: `out${i}` })));
    const definition = new Message().message(1, signature);
    for (const node of this.#nodes) definition.message(3, node);
    outputs.forEach(({ name }, i) =>
      definition.message(4, new Message().text(1, `out${i}`).text(2, name)),
    );
    for (const [key, value] of Object.entries(attributes)) definition.entry(5, key, value);
    return definition;
  }
}

/** The functions of one program. */
export class FunctionLibrary {
  readonly #definitions: Message[] = [];
  #count = 0;

  get definitions(): readonly Message[] {
    return this.#definitions;
  }

  /** From 1, no number twice. */
  nextNumber(): number {
    this.#count += 1;
    return this.#count;
  }

  start(prefix: string): FunctionBuilder {
    return new FunctionBuilder(`${prefix}_${this.nextNumber()}`);
  }

  /** Its name, by which others call it. */
  finish(fn: FunctionBuilder, outputs: readonly Ref[], attributes?: Attributes): string {
    this.#definitions.push(fn.encode(outputs, attributes));
    return fn.name;
  }
}

/** The version of graphs (TensorFlow 2.9) that the operations are written for. */
const GRAPH_PRODUCER = 1087;

/** How the one function of a saved program is asked: names of its feeds and of its results. */
export const feedName = (index: number): string => `feed${index}`;
const CALL = 'call';
export const resultName = (index: number): string => `${CALL}:${index}`;
export const TAG = 'serve';

/**
 * A SavedModel whose graph is one call of `main`, compiled by XLA as a whole.
 * Reference: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto; framework/graph.proto,
 * function.proto.
 */
function savedProgram(
  main: { readonly name: string; readonly args: readonly Ref[]; readonly outputs: readonly Ref[] },
  { definitions }: FunctionLibrary,
): Uint8Array {
  const graph = new Message();
  main.args.forEach(({ dtype, shape }, i) => {
    const attributes = { dtype: attr.type(dtype), shape: attr.shape(shape) };
    graph.message(1, nodeOf('Placeholder', feedName(i), [], attributes));
  });
  const feeds = main.args.map((_, i) => feedName(i));
  const attributes = {
    Tin: attr.types(main.args.map(({ dtype }) => dtype)),
    Tout: attr.types(main.outputs.map(({ dtype }) => dtype)),
    f: attr.func(main.name),
    _XlaMustCompile: attr.bool(true),
  };
  graph.message(1, nodeOf('PartitionedCall', CALL, feeds, attributes));
  const library = new Message();
  for (const definition of definitions) library.message(1, definition);
  graph.message(2, library);
  graph.message(4, new Message().int(1, GRAPH_PRODUCER));
  const meta = new Message().message(1, new Message().text(4, TAG)).message(2, graph);
  return new Message().int(1, 1).message(2, meta).encode();
}

/** A program as TensorFlow loads it, and how many values it takes and gives. */
export interface Recorded {
  readonly saved: Uint8Array;
  readonly feeds: number;
  readonly results: number;
}

/** The program that asks `main`, which is not finished yet. */
export function finished(
  library: FunctionLibrary,
  main: FunctionBuilder,
  outputs: readonly Ref[],
): Recorded {
  library.finish(main, outputs, { _XlaMustCompile: attr.bool(true) });
  const { name, args } = main;
  const saved = savedProgram({ name, args, outputs }, library);
  return { saved, feeds: args.length, results: outputs.length };
}
