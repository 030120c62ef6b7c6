import { FIELDS } from './onnx-format.ts';
import { chunksOf, decodeMessage } from './protobuf.ts';

/**
 * Who answers for a graph. The file says it, in its metadata, so that an answer has the same bits
 * wherever and whenever it is computed again: a graph without a word is answered by onnxruntime, as
 * all were before there was another one. What a name stands for never changes: what would move a
 * bit gets another name.
 */
export const EVALUATOR_KEY = 'evaluator';

/**
 * Ours, for graphs of trees alone (`trees/session.ts`). Its operators are those of `INPUTS` in
 * trees/operators.ts, each as onnxruntime's opsets 21 and ai.onnx.ml 5 have it, and that list is
 * final: a graph that needs another one names another evaluator. (How a softmax is written is the
 * graph's matter.)
 */
export const TREE_EVALUATOR = 'ratchet.trees.1';

const METADATA = FIELDS.Model.find(({ name }) => name === 'metadataProps')!.number;

/**
 * The evaluator that a model names; undefined: onnxruntime. Nothing but metadata is read. Throws
 * `onnx.malformed`.
 */
export function evaluatorOf(bytes: Uint8Array): string | undefined {
  const entries = chunksOf(bytes, METADATA).map((chunk) => decodeMessage('Entry', chunk));
  return entries.find(({ key }) => key === EVALUATOR_KEY)?.value;
}
