import type { ClassStatistics } from './prepared.ts';

interface ClassLabels {
  /** Row-major [rows x horizons]: places of classes, and simple returns. */
  readonly labels: Float64Array;
  readonly changes: Float64Array;
  readonly horizons: number;
  readonly classes: number;
}

/** Share and mean return of each class among some rows (the training part's); see `ClassStatistics`. */
export function classStatistics(
  { labels, changes, horizons, classes }: ClassLabels,
  rows: Int32Array,
): ClassStatistics {
  const priors: number[][] = [];
  const means: number[][] = [];
  for (let k = 0; k < horizons; k++) {
    const count = new Float64Array(classes);
    const sum = new Float64Array(classes);
    for (const row of rows) {
      const of = labels[row * horizons + k]!;
      count[of]! += 1;
      sum[of]! += changes[row * horizons + k]!;
    }
    priors.push(Array.from(count, (n) => n / rows.length));
    means.push(Array.from(sum, (total, of) => (count[of]! > 0 ? total / count[of]! : 0)));
  }
  return { priors, changes: means };
}
