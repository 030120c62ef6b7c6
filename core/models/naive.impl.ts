import { constantFamily } from './constant-model.ts';
import type { FitContext, Samples } from './model.ts';

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

export const implementation = constantFamily(KIND, neutralAnswers);
