import { createHash } from 'node:crypto';
import { buildConstantGraph } from '../onnx/linear.ts';
import type { FitContext, FitSummary, FittedModel, ModelImplementation, Samples } from './model.ts';
import { logLossOf } from './network/head.ts';
import { assertUsable } from './scaled.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';

/** What families share that give every window the same answer. */

const VERSION = 1;

/** The implementation of a family without hyperparameters whose answers [horizons x outputs] come from the training rows. */
export const constantFamily = (
  kind: string,
  answersOf: (train: Samples, ctx: FitContext) => Float64Array,
): ModelImplementation<Record<string, never>> => ({
  async fit(_params, train, valid, ctx) {
    assertUsable(train, 'train', 'last-row');
    assertUsable(valid, 'valid', 'last-row');
    const answers = answersOf(train, ctx);
    return fittedConstant(kind, answers, {
      epochsRun: 0,
      bestEpoch: 0,
      bestValidLoss: constantLoss(answers, valid),
      weightsDigest: answersDigest(answers),
      history: [],
    });
  },
  async refit(_params, twin, train, ctx) {
    assertUsable(train, 'train', 'last-row');
    const answers = answersOf(train, ctx);
    return fittedConstant(kind, answers, { ...twin, weightsDigest: answersDigest(answers) });
  },
  restore: async (bytes) => restoreConstant(kind, bytes),
});

/** Bytes of answers [horizons x outputs] (label units or probabilities), as a digest. */
const answersDigest = (answers: Float64Array): string =>
  createHash('sha256').update(new Uint8Array(answers.buffer)).digest('hex');

/** Mean loss of the same answer to every sample: squared error, or log loss of classes. */
function constantLoss(answers: Float64Array, { labels, classes, horizons }: Samples): number {
  let sum = 0;
  labels.forEach((label, at) => {
    const k = at % horizons.length;
    sum += classes > 0 ? logLossOf(answers[k * classes + label]!) : (label - answers[k]!) ** 2;
  });
  return sum / labels.length;
}

/** `kind` names the family's saved bytes. */
function fittedConstant(kind: string, answers: Float64Array, summary: FitSummary): FittedModel {
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
function restoreConstant(kind: string, bytes: Uint8Array): FittedModel {
  const file = decodeSections(bytes, kind, VERSION);
  const { summary } = file.meta as { summary: FitSummary };
  return fittedConstant(kind, sectionOrThrow(file, 'answers', Float64Array), summary);
}
