import { createHash } from 'node:crypto';
import { buildConstantGraph } from '../onnx/linear.ts';
import type { FitSummary, FittedModel, Samples } from './model.ts';
import { logLossOf } from './network/head.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';

/** What families share that give every window the same answer. */

const VERSION = 1;

/** Bytes of answers [horizons x outputs] (label units or probabilities), as a digest. */
export const answersDigest = (answers: Float64Array): string =>
  createHash('sha256').update(new Uint8Array(answers.buffer)).digest('hex');

/** Mean loss of the same answer to every sample: squared error, or log loss of classes. */
export function constantLoss(
  answers: Float64Array,
  { labels, classes, horizons }: Samples,
): number {
  let sum = 0;
  labels.forEach((label, at) => {
    const k = at % horizons.length;
    sum += classes > 0 ? logLossOf(answers[k * classes + label]!) : (label - answers[k]!) ** 2;
  });
  return sum / labels.length;
}

/** `kind` names the family's saved bytes. */
export function fittedConstant(
  kind: string,
  answers: Float64Array,
  summary: FitSummary,
): FittedModel {
  return {
    summary,
    predict: async ({ endRow }) => {
      const out = new Float64Array(endRow.length * answers.length);
      for (let at = 0; at < out.length; at += answers.length) out.set(answers, at);
      return out;
    },
    save: () =>
      encodeSections({ kind, version: VERSION, meta: { summary }, sections: { answers } }),
    export: (ctx) => ({ model: buildConstantGraph(answers, ctx) }),
    dispose: () => {},
  };
}

/** What `save` gave; throws `bytes.corrupt`. */
export function restoreConstant(kind: string, bytes: Uint8Array): FittedModel {
  const file = decodeSections(bytes, kind, VERSION);
  const { summary } = file.meta as { summary: FitSummary };
  return fittedConstant(kind, sectionOrThrow(file, 'answers', Float64Array), summary);
}
