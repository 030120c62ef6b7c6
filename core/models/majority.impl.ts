import { answersDigest, constantLoss, fittedConstant, restoreConstant } from './constant-model.ts';
import type { ModelImplementation, Samples } from './model.ts';
import { assertUsable } from './scaled.ts';

const KIND = 'majority-model';

/** Shares of the classes among the rows, horizon by horizon. */
function priorsOf({ labels, horizons, classes }: Samples): Float64Array {
  const counts = new Float64Array(horizons.length * classes);
  labels.forEach((label, at) => {
    counts[(at % horizons.length) * classes + label]! += 1;
  });
  return counts.map((count) => count / (labels.length / horizons.length));
}

export const implementation: ModelImplementation<Record<string, never>> = {
  async fit(_params, train, valid) {
    assertUsable(train, 'train', 'last-row');
    assertUsable(valid, 'valid', 'last-row');
    const answers = priorsOf(train);
    return fittedConstant(KIND, answers, {
      epochsRun: 0,
      bestEpoch: 0,
      bestValidLoss: constantLoss(answers, valid),
      weightsDigest: answersDigest(answers),
      history: [],
    });
  },
  async refit(_params, twin, train) {
    assertUsable(train, 'train', 'last-row');
    const answers = priorsOf(train);
    return fittedConstant(KIND, answers, { ...twin, weightsDigest: answersDigest(answers) });
  },
  restore: async (bytes) => restoreConstant(KIND, bytes),
};
