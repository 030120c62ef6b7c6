import { constantFamily } from './constant-model.ts';
import type { Samples } from './model.ts';

const KIND = 'majority-model';

/** Shares of the classes among the rows, horizon by horizon. */
function priorsOf({ labels, horizons, classes }: Samples): Float64Array {
  const counts = new Float64Array(horizons.length * classes);
  labels.forEach((label, at) => {
    counts[(at % horizons.length) * classes + label]! += 1;
  });
  return counts.map((count) => count / (labels.length / horizons.length));
}

export const implementation = constantFamily(KIND, priorsOf);
