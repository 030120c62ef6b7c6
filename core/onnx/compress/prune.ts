import type { GraphProto, TensorProto } from '../onnx-format.ts';
import { allNodes, float32Bytes, float32Of, isFloat32 } from './weights.ts';

/** Places of weight matrices among the inputs of an operator. */
const WEIGHTS: Readonly<Record<string, readonly number[]>> = {
  LSTM: [1, 2],
  Gemm: [1],
  MatMul: [0, 1],
};

/** Names of constants that some operator multiplies by. */
function weightNames(graph: GraphProto): Set<string> {
  const names = new Set<string>();
  for (const { opType = '', input = [] } of allNodes(graph)) {
    for (const place of WEIGHTS[opType] ?? []) if (input[place]) names.add(input[place]);
  }
  return names;
}

const isMatrix = (tensor: TensorProto): boolean =>
  isFloat32(tensor) && (tensor.dims ?? []).length > 1;

/** The smallest `count` magnitudes as 0; equal magnitudes at the limit all become 0. */
function withoutSmallest(values: Float32Array, count: number): Float32Array {
  if (count === 0) return values;
  const limit = values.map(Math.abs).toSorted()[count - 1]!;
  return values.map((value) => (Math.abs(value) <= limit ? 0 : value));
}

/**
 * Magnitude pruning (Han et al., 2015), without training again: in every float32 weight matrix the share `sparsity` of
 * weights with the least magnitude becomes 0. Which ones depends on values alone, so that a matrix and its transpose
 * lose the same: forecast and Monte-Carlo graph stay one model. Dense kernels are not faster for it; what is stored
 * compresses better.
 */
export function pruneWeights(
  graph: GraphProto,
  sparsity: number,
): { readonly graph: GraphProto; readonly matrices: number; readonly zeroed: number } {
  const names = weightNames(graph);
  let [matrices, zeroed] = [0, 0];
  const initializer = (graph.initializer ?? []).map((tensor) => {
    if (!names.has(tensor.name ?? '') || !isMatrix(tensor)) return tensor;
    const values = float32Of(tensor);
    const count = Math.floor(sparsity * values.length);
    matrices += 1;
    zeroed += count;
    return { ...tensor, rawData: float32Bytes(withoutSmallest(values, count)) };
  });
  return { graph: { ...graph, initializer }, matrices, zeroed };
}
