import { embeddable } from './embed.ts';
import { ATTRIBUTE_TYPES, ELEMENT_TYPES } from './onnx-format.ts';
import type {
  AttributeProto,
  ElementType,
  GraphProto,
  NodeProto,
  TensorProto,
  ValueInfo,
} from './onnx-format.ts';
import { encodeMessage } from './protobuf.ts';

/** Operators of trees; the default domain is ''. */
export const ML_DOMAIN = 'ai.onnx.ml';
/** TreeEnsemble came with version 5 (ONNX 1.17, onnxruntime 1.20). */
const ML_OPSET = 5;

/** IR 10 goes with opset 21 (ONNX 1.16), which every onnxruntime since 1.18 reads. */
const IR_VERSION = 10;
const OPSET = 21;

export type TensorData = Float32Array | Float64Array | BigInt64Array | Uint8Array;

const utf8 = new TextEncoder();

function elementTypeOf(data: TensorData): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Uint8Array) return 'uint8';
  return data instanceof Float64Array ? 'float64' : 'int64';
}

/** Little-endian bytes of a typed array, whatever the host's order. */
function littleEndianBytes(data: TensorData): Uint8Array {
  if (data instanceof Uint8Array) return data.slice();
  const bytes = new Uint8Array(data.byteLength);
  const view = new DataView(bytes.buffer);
  if (data instanceof Float32Array) data.forEach((v, i) => view.setFloat32(4 * i, v, true));
  else if (data instanceof Float64Array) data.forEach((v, i) => view.setFloat64(8 * i, v, true));
  else data.forEach((v, i) => view.setBigInt64(8 * i, v, true));
  return bytes;
}

function tensor(data: TensorData, dims: readonly number[], name: string): TensorProto {
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (size !== data.length) {
    throw new RangeError(`tensor ${name}: ${data.length} values for shape [${dims.join(', ')}]`);
  }
  const dataType = ELEMENT_TYPES[elementTypeOf(data)];
  return { dims: [...dims], dataType, name, rawData: littleEndianBytes(data) };
}

/** An attribute value; the key says its ONNX type, so that a whole number cannot turn into an INT. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly text: string }
  | { readonly tensor: TensorData }
  | { readonly body: Graph };

function attributeProto(name: string, value: Attribute): AttributeProto {
  if ('int' in value) return { name, i: value.int, type: ATTRIBUTE_TYPES.i };
  if ('float' in value) return { name, f: value.float, type: ATTRIBUTE_TYPES.f };
  if ('ints' in value) return { name, ints: [...value.ints], type: ATTRIBUTE_TYPES.ints };
  if ('tensor' in value) {
    const { tensor: data } = value;
    return { name, t: tensor(data, [data.length], name), type: ATTRIBUTE_TYPES.t };
  }
  if ('text' in value) return { name, s: utf8.encode(value.text), type: ATTRIBUTE_TYPES.s };
  return { name, g: value.body.toProto(), type: ATTRIBUTE_TYPES.g };
}

/** A dimension is a size, or the name of a free one such as `N`. */
export type Dimension = number | string;

function valueInfo(name: string, elem: ElementType, dims: readonly Dimension[]): ValueInfo {
  const dim = dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[elem], shape: { dim } } } };
}

/** Attributes by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/**
 * Builds one ONNX graph node by node. Values are named by strings; every method gives back the name of
 * what it made. Names come from a counter, so the same calls give the same bytes.
 */
export class Graph {
  readonly #name: string;
  readonly #prefix: string;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  #count = 0;

  /** `prefix` keeps value names of a nested graph (a Scan body) apart from those of the outer one. */
  constructor(name: string, prefix = '') {
    this.#name = name;
    this.#prefix = prefix;
  }

  input(name: string, elem: ElementType, dims: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, elem, dims));
    return name;
  }

  /** Declares an input as another model has it, under the same name. */
  inputLike(info: ValueInfo): string {
    this.#inputs.push(info);
    return info.name ?? '';
  }

  /** Puts a finished model in, its inputs replaced by values of this graph; gives its answer `y`. Names get a prefix. */
  embed(model: Uint8Array, inputs: Readonly<Record<string, string>>): string {
    const { nodes, initializers, output } = embeddable(model, `m${this.#count++}/`, inputs);
    for (const node of nodes) this.#nodes.push(node);
    for (const initializer of initializers) this.#initializers.push(initializer);
    return output;
  }

  /** Declares `value` as the output `name`, of the shape that another model's has. */
  outputLike(value: string, info: ValueInfo): void {
    const name = info.name ?? '';
    this.#nodes.push({ input: [value], output: [name], name, opType: 'Identity' });
    this.#outputs.push(info);
  }

  /** Declares `value` as the output `name`. */
  output(value: string, name: string, elem: ElementType, dims: readonly Dimension[]): void {
    this.#nodes.push({ input: [value], output: [name], name, opType: 'Identity' });
    this.#outputs.push(valueInfo(name, elem, dims));
  }

  /** Adds a node whose value is the output `name` of the graph, without another that copies it; gives the name. */
  outputOf(
    opType: string,
    inputs: readonly string[],
    info: {
      readonly name: string;
      readonly elem: ElementType;
      readonly dims: readonly Dimension[];
    },
  ): string {
    const { name, elem, dims } = info;
    this.#nodes.push({ input: [...inputs], output: [name], name, opType });
    this.#outputs.push(valueInfo(name, elem, dims));
    return name;
  }

  constant(data: TensorData, dims: readonly number[] = [data.length]): string {
    const name = `${this.#prefix}c${this.#count++}`;
    this.#initializers.push(tensor(data, dims, name));
    return name;
  }

  scalar(value: number, elem: 'float32' | 'float64' = 'float32'): string {
    return this.constant(elem === 'float32' ? Float32Array.of(value) : Float64Array.of(value), []);
  }

  ints(...values: number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt));
  }

  /** Adds a node with one output and gives its name. An empty input name leaves that input out. */
  op(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.#node(opType, inputs, attributes, 1)[0]!;
  }

  /** As `op`, of the domain `ai.onnx.ml`; not inside a nested graph. */
  mlOp(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const name = this.op(opType, inputs, attributes);
    this.#nodes.at(-1)!.domain = ML_DOMAIN;
    return name;
  }

  /** Adds a node with `count` outputs and gives their names. */
  opMany(
    opType: string,
    inputs: readonly string[],
    count: number,
    attributes: Attributes = {},
  ): string[] {
    return this.#node(opType, inputs, attributes, count);
  }

  #node(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    count: number,
  ): string[] {
    const name = `${this.#prefix}${opType}_${this.#count++}`;
    const output = count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}:${i}`);
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    this.#nodes.push({ input: [...inputs], output, name, opType, attribute });
    return output;
  }

  toProto(): GraphProto {
    return {
      node: this.#nodes,
      name: this.#name,
      initializer: this.#initializers,
      input: this.#inputs,
      output: this.#outputs,
    };
  }

  /** Bytes of an ONNX model with this graph. `metadata` may be read without any ONNX runtime. */
  toModel(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    const usesMl = this.#nodes.some(({ domain }) => domain === ML_DOMAIN);
    return encodeMessage('Model', {
      irVersion: IR_VERSION,
      producerName: 'ratchet',
      graph: this.toProto(),
      opsetImport: [
        { domain: '', version: OPSET },
        ...(usesMl ? [{ domain: ML_DOMAIN, version: ML_OPSET }] : []),
      ],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }
}
