import { answersDigest, constantLoss, fittedConstant, restoreConstant } from './constant-model.ts';
import type { FitContext, ModelImplementation, Samples } from './model.ts';
import { assertUsable } from './scaled.ts';

const KIND = 'naive-model';

/** The label of "nothing changes" at every horizon; of classes, certainty of that class. */
function neutralAnswers(
  { horizons, classes }: Samples,
  { neutralLabel }: FitContext,
): Float64Array {
  if (classes === 0) return new Float64Array(horizons.length).fill(neutralLabel);
  const answers = new Float64Array(horizons.length * classes);
  horizons.forEach((_, k) => (answers[k * classes + neutralLabel] = 1));
  return answers;
}

export const implementation: ModelImplementation<Record<string, never>> = {
  async fit(_params, train, valid, ctx) {
    assertUsable(train, 'train', 'last-row');
    assertUsable(valid, 'valid', 'last-row');
    const answers = neutralAnswers(train, ctx);
    return fittedConstant(KIND, answers, {
      epochsRun: 0,
      bestEpoch: 0,
      bestValidLoss: constantLoss(answers, valid),
      weightsDigest: answersDigest(answers),
      history: [],
    });
  },
  async refit(_params, twin, train, ctx) {
    assertUsable(train, 'train', 'last-row');
    return fittedConstant(KIND, neutralAnswers(train, ctx), twin);
  },
  restore: async (bytes) => restoreConstant(KIND, bytes),
};
