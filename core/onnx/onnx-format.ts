/**
 * The part of onnx.proto (IR version 10) that Ratchet's packages use, as types and as the table that
 * drives the codec. Field numbers are frozen by the ONNX project.
 *
 * Reference: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */

export interface ModelProto {
  irVersion?: number;
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: number;
  docString?: string;
  graph?: GraphProto;
  opsetImport?: OperatorSetId[];
  metadataProps?: StringEntry[];
  functions?: Uint8Array[];
}
export interface OperatorSetId {
  domain?: string;
  version?: number;
}
export interface StringEntry {
  key?: string;
  value?: string;
}
export interface GraphProto {
  node?: NodeProto[];
  name?: string;
  initializer?: TensorProto[];
  docString?: string;
  input?: ValueInfo[];
  output?: ValueInfo[];
  valueInfo?: ValueInfo[];
  sparseInitializer?: Uint8Array[];
}
export interface NodeProto {
  input?: string[];
  output?: string[];
  name?: string;
  opType?: string;
  attribute?: AttributeProto[];
  domain?: string;
}
export interface AttributeProto {
  name?: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: number[];
  strings?: Uint8Array[];
  tensors?: TensorProto[];
  graphs?: GraphProto[];
  type?: number;
}
export interface TensorProto {
  dims?: number[];
  dataType?: number;
  name?: string;
  rawData?: Uint8Array;
  externalData?: StringEntry[];
  /** 0: bytes are here; 1: in another file (never accepted from a package). */
  dataLocation?: number;
}
export interface ValueInfo {
  name?: string;
  type?: TypeProto;
}
export interface TypeProto {
  tensorType?: TensorTypeProto;
}
export interface TensorTypeProto {
  elemType?: number;
  shape?: ShapeProto;
}
export interface ShapeProto {
  dim?: DimensionProto[];
}
export interface DimensionProto {
  dimValue?: number;
  dimParam?: string;
}

export interface Messages {
  Model: ModelProto;
  OperatorSetId: OperatorSetId;
  Entry: StringEntry;
  Graph: GraphProto;
  Node: NodeProto;
  Attribute: AttributeProto;
  Tensor: TensorProto;
  ValueInfo: ValueInfo;
  Type: TypeProto;
  TensorType: TensorTypeProto;
  Shape: ShapeProto;
  Dim: DimensionProto;
}
export type MessageName = keyof Messages;

export type Scalar = 'int' | 'float' | 'string' | 'bytes';
export interface Field {
  readonly name: string;
  readonly number: number;
  readonly kind: Scalar | MessageName;
  readonly repeated: boolean;
}

const TABLE: Readonly<Record<MessageName, Readonly<Record<string, readonly [number, string]>>>> = {
  Model: {
    irVersion: [1, 'int'],
    producerName: [2, 'string'],
    producerVersion: [3, 'string'],
    domain: [4, 'string'],
    modelVersion: [5, 'int'],
    docString: [6, 'string'],
    graph: [7, 'Graph'],
    opsetImport: [8, 'OperatorSetId*'],
    metadataProps: [14, 'Entry*'],
    functions: [25, 'bytes*'],
  },
  OperatorSetId: { domain: [1, 'string'], version: [2, 'int'] },
  Entry: { key: [1, 'string'], value: [2, 'string'] },
  Graph: {
    node: [1, 'Node*'],
    name: [2, 'string'],
    initializer: [5, 'Tensor*'],
    docString: [10, 'string'],
    input: [11, 'ValueInfo*'],
    output: [12, 'ValueInfo*'],
    valueInfo: [13, 'ValueInfo*'],
    sparseInitializer: [15, 'bytes*'],
  },
  Node: {
    input: [1, 'string*'],
    output: [2, 'string*'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'Attribute*'],
    domain: [7, 'string'],
  },
  Attribute: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int'],
    s: [4, 'bytes'],
    t: [5, 'Tensor'],
    g: [6, 'Graph'],
    floats: [7, 'float*'],
    ints: [8, 'int*'],
    strings: [9, 'bytes*'],
    tensors: [10, 'Tensor*'],
    graphs: [11, 'Graph*'],
    type: [20, 'int'],
  },
  Tensor: {
    dims: [1, 'int*'],
    dataType: [2, 'int'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    externalData: [13, 'Entry*'],
    dataLocation: [14, 'int'],
  },
  ValueInfo: { name: [1, 'string'], type: [2, 'Type'] },
  Type: { tensorType: [1, 'TensorType'] },
  TensorType: { elemType: [1, 'int'], shape: [2, 'Shape'] },
  Shape: { dim: [1, 'Dim*'] },
  Dim: { dimValue: [1, 'int'], dimParam: [2, 'string'] },
};

const SCALARS = new Set<string>(['int', 'float', 'string', 'bytes']);

function parseKind(spec: string): Scalar | MessageName {
  const kind = spec.replace('*', '');
  if (!SCALARS.has(kind) && !(kind in TABLE)) throw new RangeError(`unknown kind ${kind}`);
  return kind as Scalar | MessageName;
}

function fieldsOf(message: MessageName): readonly Field[] {
  return Object.entries(TABLE[message]).map(([name, [number, spec]]) => ({
    name,
    number,
    kind: parseKind(spec),
    repeated: spec.endsWith('*'),
  }));
}

/** Fields of each message in the order they are written (that of their numbers in the table). */
export const FIELDS: Readonly<Record<MessageName, readonly Field[]>> = Object.freeze(
  Object.fromEntries(
    (Object.keys(TABLE) as MessageName[]).map((message) => [message, fieldsOf(message)]),
  ) as Record<MessageName, readonly Field[]>,
);

export const isScalar = (kind: string): kind is Scalar => SCALARS.has(kind);

/** TensorProto.DataType of the element types that Ratchet writes. */
export const ELEMENT_TYPES = {
  float32: 1,
  int8: 3,
  uint8: 2,
  int64: 7,
  bool: 9,
  float64: 11,
} as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** AttributeProto.AttributeType by the field that carries the value. */
export const ATTRIBUTE_TYPES = {
  f: 1,
  i: 2,
  s: 3,
  t: 4,
  g: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;
