import { MICROSOFT_DOMAIN, QUANTIZED_LSTM } from '../onnx/compress/quantize.ts';
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from '../onnx/onnx-format.ts';
import { decodeMessage } from '../onnx/protobuf.ts';
import { PackageError } from './files.ts';

/** Operator sets of the ONNX standard; others could name a custom library. */
const DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml']);

/** The one operator beyond it that a package may have: onnxruntime's own, with weights of int8. */
const ALLOWED: ReadonlySet<string> = new Set([`${MICROSOFT_DOMAIN}.${QUANTIZED_LSTM}`]);

const isAllowed = ({ domain = '', opType = '' }: NodeProto): boolean =>
  DOMAINS.has(domain) || ALLOWED.has(`${domain}.${opType}`);

/** Everything of a graph that could reach beyond its own bytes, nested graphs included. */
function* violations(graph: GraphProto): Generator<string> {
  for (const tensor of graph.initializer ?? []) yield* tensorViolations(tensor);
  if (graph.sparseInitializer) yield 'a sparse initializer';
  for (const node of graph.node ?? []) {
    if (!isAllowed(node)) yield `operator ${node.opType} of domain ${node.domain}`;
    for (const attribute of node.attribute ?? []) yield* attributeViolations(attribute);
  }
}

function* attributeViolations(attribute: AttributeProto): Generator<string> {
  for (const tensor of [attribute.t ?? [], attribute.tensors ?? []].flat()) {
    yield* tensorViolations(tensor);
  }
  for (const graph of [attribute.g ?? [], attribute.graphs ?? []].flat()) yield* violations(graph);
}

function* tensorViolations(tensor: TensorProto): Generator<string> {
  if (tensor.dataLocation || tensor.externalData) {
    yield `tensor ${tensor.name ?? ''} with its data in another file`;
  }
}

/**
 * Refuses, before native code sees them, graphs that name other files (`external_data` is how ONNX models
 * read arbitrary paths), local functions, or operators outside the standard domains. Throws
 * `package.unsafe-graph` with what was found, `onnx.malformed` when the bytes are not ONNX at all.
 */
export function checkGraphIsSelfContained(bytes: Uint8Array, path: string): void {
  const model = decodeMessage('Model', bytes, { unknownFields: 'refuse', depth: 0 });
  const found = model.functions ? 'local functions' : violations(model.graph ?? {}).next().value;
  if (typeof found === 'string') {
    throw new PackageError('package.unsafe-graph', `${path} has ${found}`, { path, found });
  }
}
