import { RatchetError } from '../errors.ts';
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfo,
} from './onnx-format.ts';
import { decodeMessage } from './protobuf.ts';

/** A finished model, read so that it can stand inside another graph. */
export interface Embeddable {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  /** What its output `y` is called now. */
  readonly output: string;
}

/** Reads a model of ours; throws `onnx.malformed` for bytes that are none, or have what could not be carried over. */
export function readModel(bytes: Uint8Array): ModelProto & { readonly graph: GraphProto } {
  const model = decodeMessage('Model', bytes, { unknownFields: 'refuse', depth: 0 });
  const { graph, functions } = model;
  if (graph === undefined || functions?.length || graph.sparseInitializer?.length) {
    throw new RatchetError('onnx.malformed', 'the model has no graph, or parts that cannot move');
  }
  return { ...model, graph };
}

/** Inputs of a model by name, and the shape of its output `y`. */
export function signatureOf(bytes: Uint8Array): {
  readonly inputs: ReadonlyMap<string, ValueInfo>;
  readonly output: ValueInfo;
} {
  const { input = [], output = [] } = readModel(bytes).graph;
  const y = output.find(({ name }) => name === 'y');
  if (y === undefined) throw new RatchetError('onnx.malformed', 'the model has no output y');
  return { inputs: new Map(input.map((info) => [info.name ?? '', info])), output: y };
}

/**
 * The nodes of a model with `prefix` before every name, so that several fit into one graph; its inputs are replaced by
 * the values that `inputs` names. Nested graphs (a Scan's body) are renamed with it: they may read outer values.
 */
export function embeddable(
  bytes: Uint8Array,
  prefix: string,
  inputs: Readonly<Record<string, string>>,
): Embeddable {
  const { graph } = readModel(bytes);
  const missing = (graph.input ?? []).find(({ name = '' }) => !(name in inputs));
  if (missing) {
    throw new RatchetError('onnx.input', `nothing is given for the input ${missing.name}`);
  }
  // An empty name leaves an optional input of a node out.
  const rename = (name: string): string => (name === '' ? '' : (inputs[name] ?? prefix + name));
  return {
    nodes: (graph.node ?? []).map((node) => renamedNode(node, rename)),
    initializers: (graph.initializer ?? []).map((tensor) => renamedTensor(tensor, rename)),
    output: rename('y'),
  };
}

type Rename = (name: string) => string;

const renamedTensor = (tensor: TensorProto, rename: Rename): TensorProto => ({
  ...tensor,
  name: rename(tensor.name ?? ''),
});

const renamedNode = (node: NodeProto, rename: Rename): NodeProto => ({
  ...node,
  name: rename(node.name ?? ''),
  input: (node.input ?? []).map(rename),
  output: (node.output ?? []).map(rename),
  attribute: (node.attribute ?? []).map((attribute) => renamedAttribute(attribute, rename)),
});

const renamedAttribute = (attribute: AttributeProto, rename: Rename): AttributeProto => ({
  ...attribute,
  ...(attribute.g && { g: renamedGraph(attribute.g, rename) }),
  ...(attribute.graphs && { graphs: attribute.graphs.map((g) => renamedGraph(g, rename)) }),
});

const renamedValue = (value: ValueInfo, rename: Rename): ValueInfo => ({
  ...value,
  name: rename(value.name ?? ''),
});

const renamedGraph = (graph: GraphProto, rename: Rename): GraphProto => ({
  ...graph,
  node: (graph.node ?? []).map((node) => renamedNode(node, rename)),
  initializer: (graph.initializer ?? []).map((tensor) => renamedTensor(tensor, rename)),
  input: (graph.input ?? []).map((value) => renamedValue(value, rename)),
  output: (graph.output ?? []).map((value) => renamedValue(value, rename)),
  valueInfo: (graph.valueInfo ?? []).map((value) => renamedValue(value, rename)),
});
