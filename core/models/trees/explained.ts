import type { Contributions } from '../model.ts';

/** One output of a model for one window, taken apart: all the numbers in it add up to the output. */
export interface ExplainedOutput {
  /** What the output is without knowing any feature. */
  readonly base: number;
  /** The features that moved it most, either way. */
  readonly top: readonly { readonly feature: string; readonly contribution: number }[];
  /** What all other features contributed together. */
  readonly rest: number;
  /** What a network in front of the trees contributed; 0 where there is none. */
  readonly learned: number;
}

const sumOf = (values: Iterable<number>): number => [...values].reduce((sum, v) => sum + v, 0);

/**
 * Contributions to one window by [horizon][output], of each the `count` largest by absolute value; those of 0 are left out,
 * ties keep the order of the features.
 */
export function explainWindow(
  { values, learned, horizons, outputs }: Contributions,
  names: readonly string[],
  { window = 0, count }: { readonly window?: number; readonly count: number },
): ExplainedOutput[][] {
  const width = names.length + learned + 1;
  const explain = (horizon: number, output: number): ExplainedOutput => {
    const from = ((window * horizons + horizon) * outputs + output) * width;
    const sorted = names
      .map((feature, i) => ({ feature, contribution: values[from + i]! }))
      .filter(({ contribution }) => contribution !== 0)
      .toSorted((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
    return {
      base: values[from + width - 1]!,
      top: sorted.slice(0, count),
      rest: sumOf(sorted.slice(count).map(({ contribution }) => contribution)),
      learned: sumOf(values.subarray(from + names.length, from + width - 1)),
    };
  };
  return Array.from({ length: horizons }, (_, horizon) =>
    Array.from({ length: outputs }, (__, output) => explain(horizon, output)),
  );
}
