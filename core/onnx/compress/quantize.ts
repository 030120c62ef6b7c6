import { ELEMENT_TYPES } from '../onnx-format.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx-format.ts';
import { float32Bytes, float32Of, isFloat32 } from './weights.ts';

/** onnxruntime's own operators. */
export const MICROSOFT_DOMAIN = 'com.microsoft';
export const QUANTIZED_LSTM = 'DynamicQuantizeLSTM';

/**
 * Steps on each side of 0. Seven bits of the eight: two products with 8-bit inputs then fit into the 16 bits that CPUs
 * without VNNI add them up in, so that every machine computes the same integers.
 */
const STEPS = 64;

/** W or R [1, 4 units, rows] -> symmetric int8 [1, rows, 4 units] with a scale for each of the 4 units columns. */
function perColumn(tensor: TensorProto): readonly [TensorProto, TensorProto, TensorProto] {
  const [, columns, rows] = tensor.dims as [number, number, number];
  const values = float32Of(tensor);
  const name = tensor.name ?? '';
  const quantized = new Uint8Array(rows * columns);
  const scale = new Float32Array(columns);
  for (let c = 0; c < columns; c++) {
    const line = values.subarray(c * rows, (c + 1) * rows);
    const largest = line.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // A column of zeros may have any scale.
    scale[c] = largest === 0 ? 1 : largest / STEPS;
    // A negative step as the byte of its two's complement.
    for (let r = 0; r < rows; r++)
      quantized[r * columns + c] = Math.round(line[r]! / scale[c]!) & 255;
  }
  const int8 = ELEMENT_TYPES.int8;
  return [
    { name: `${name}.int8`, dims: [1, rows, columns], dataType: int8, rawData: quantized },
    {
      name: `${name}.scale`,
      dims: [1, columns],
      dataType: ELEMENT_TYPES.float32,
      rawData: float32Bytes(scale),
    },
    { name: `${name}.zero`, dims: [1, columns], dataType: int8, rawData: new Uint8Array(columns) },
  ];
}

/**
 * Dynamic quantization of the LSTM layers in the form of onnxruntime's CPU kernel: weights int8 with a scale a column,
 * inputs and states quantized by the kernel as they come. The gates keep their order; biases stay float32. Layers inside
 * nested graphs (a Scan spells them out) have no such form.
 * Reference: onnxruntime's contrib operators, com.microsoft.DynamicQuantizeLSTM version 1.
 */
export function quantizeLstm(graph: GraphProto): {
  readonly graph: GraphProto;
  readonly layers: number;
} {
  const constants = new Map((graph.initializer ?? []).map((tensor) => [tensor.name ?? '', tensor]));
  const made = new Map<string, readonly [TensorProto, TensorProto, TensorProto]>();
  const partsOf = (name: string): readonly [TensorProto, TensorProto, TensorProto] => {
    const parts = made.get(name) ?? perColumn(constants.get(name)!);
    made.set(name, parts);
    return parts;
  };
  const isConstant = (name: string | undefined): name is string =>
    name !== undefined && constants.has(name) && isFloat32(constants.get(name)!);
  let layers = 0;
  const node = (graph.node ?? []).map((each): NodeProto => {
    const { opType, domain = '', input = [] } = each;
    const [x, w, r, b] = input;
    if (opType !== 'LSTM' || domain !== '' || !isConstant(w) || !isConstant(r)) return each;
    layers += 1;
    const [weights, recurrent] = [partsOf(w), partsOf(r)].map((parts) =>
      parts.map((tensor) => tensor.name!),
    ) as [string[], string[]];
    return {
      ...each,
      opType: QUANTIZED_LSTM,
      domain: MICROSOFT_DOMAIN,
      input: [
        x!,
        weights[0]!,
        recurrent[0]!,
        b ?? '',
        ...['', '', '', ''],
        ...[weights[1]!, weights[2]!, recurrent[1]!, recurrent[2]!],
      ],
    };
  });
  const used = new Set(node.flatMap(({ input = [] }) => input));
  const initializer = [
    ...(graph.initializer ?? []).filter(({ name = '' }) => !made.has(name) || used.has(name)),
    ...[...made.values()].flat(),
  ];
  return { graph: { ...graph, node, initializer }, layers };
}
