import type { GraphProto, NodeProto, TensorProto } from '../onnx-format.ts';
import { ELEMENT_TYPES } from '../onnx-format.ts';

/** All nodes, those of nested graphs (Scan) included. */
export function* allNodes(graph: GraphProto): Generator<NodeProto> {
  for (const node of graph.node ?? []) {
    yield node;
    for (const { g } of node.attribute ?? []) if (g) yield* allNodes(g);
  }
}

export const isFloat32 = ({ dataType }: TensorProto): boolean => dataType === ELEMENT_TYPES.float32;

/** Values of a float32 tensor, a copy. */
export function float32Of({ rawData }: TensorProto): Float32Array {
  const bytes = rawData ?? new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) =>
    view.getFloat32(4 * i, true),
  );
}

/** Little-endian bytes. */
export function float32Bytes(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setFloat32(4 * i, value, true));
  return bytes;
}

/**
 * Why nothing may be changed in this graph, or undefined. Trees behind a network were trained on its exact answers: a
 * value that moves across a threshold leads elsewhere, however little it moves.
 */
export function untouchable(graph: GraphProto): string | undefined {
  const trees = [...allNodes(graph)].some(({ opType }) => opType === 'TreeEnsemble');
  return trees ? 'its trees decide on exact values, which must not change' : undefined;
}
