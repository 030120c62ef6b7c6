import { readModel } from '../embed.ts';
import type { GraphProto, ModelProto } from '../onnx-format.ts';
import { encodeMessage } from '../protobuf.ts';
import { pruneWeights } from './prune.ts';
import { MICROSOFT_DOMAIN, quantizeLstm } from './quantize.ts';
import { untouchable } from './weights.ts';

/** What is asked of a package's graph. */
export interface CompressionRules {
  readonly quantize: 'none' | 'dynamic';
  /** Share of each weight matrix that becomes 0. */
  readonly prune?: { readonly sparsity: number };
}

/** What became of one thing that was asked for. */
export interface CompressionStep {
  readonly what: 'prune' | 'quantize';
  readonly status: 'applied' | 'notApplicable';
  /** What was done, or why nothing can be. */
  readonly words: string;
}

export interface Compressed {
  /** The graph as it came where nothing was applied. */
  readonly graph: Uint8Array;
  readonly steps: readonly CompressionStep[];
}

interface Done {
  readonly graph: GraphProto;
  readonly step: CompressionStep;
}

const notApplicable = (graph: GraphProto, what: CompressionStep['what'], words: string): Done => ({
  graph,
  step: { what, status: 'notApplicable', words },
});

function pruned(graph: GraphProto, sparsity: number): Done {
  const reason = untouchable(graph);
  if (reason !== undefined) return notApplicable(graph, 'prune', reason);
  const done = pruneWeights(graph, sparsity);
  if (done.matrices === 0) {
    return notApplicable(graph, 'prune', 'it has no weight matrices of a network');
  }
  const words = `${done.zeroed} weights of ${done.matrices} matrices set to 0`;
  return { graph: done.graph, step: { what: 'prune', status: 'applied', words } };
}

function quantized(graph: GraphProto): Done {
  const reason = untouchable(graph);
  if (reason !== undefined) return notApplicable(graph, 'quantize', reason);
  const done = quantizeLstm(graph);
  if (done.layers === 0) return notApplicable(graph, 'quantize', 'it has no LSTM layers');
  const words = `${done.layers} LSTM ${done.layers === 1 ? 'layer' : 'layers'} with int8 weights`;
  return { graph: done.graph, step: { what: 'quantize', status: 'applied', words } };
}

function withMicrosoftOpset(model: ModelProto): ModelProto {
  const opsetImport = [...(model.opsetImport ?? []), { domain: MICROSOFT_DOMAIN, version: 1 }];
  return { ...model, opsetImport };
}

/**
 * A smaller graph of the same inputs and outputs: first pruned, then quantized, as far as the rules ask and the graph
 * allows; what it allows is read from its operators. Same bytes and rules, same bytes. Whether it is still good enough is
 * the caller's to measure. Throws `onnx.malformed`.
 */
export function compressGraph(
  bytes: Uint8Array,
  { quantize, prune }: CompressionRules,
): Compressed {
  let model: ModelProto & { readonly graph: GraphProto } = readModel(bytes);
  const steps: CompressionStep[] = [];
  if (prune) {
    const { graph, step } = pruned(model.graph, prune.sparsity);
    model = { ...model, graph };
    steps.push(step);
  }
  if (quantize === 'dynamic') {
    const { graph, step } = quantized(model.graph);
    model = { ...(step.status === 'applied' ? withMicrosoftOpset(model) : model), graph };
    steps.push(step);
  }
  const changed = steps.some(({ status }) => status === 'applied');
  return { graph: changed ? encodeMessage('Model', model) : bytes, steps };
}
