import type { FiguresRun } from '../engine.ts';

/** Sums over the rows of a run. */
export interface Totals {
  readonly traded: number;
  readonly costs: number;
  readonly exposure: number;
  /** Rows at which anything is held. */
  readonly held: number;
}

export function totalsOf({ traded, costs, exposure }: FiguresRun): Totals {
  let tradedSum = 0;
  let costSum = 0;
  let exposureSum = 0;
  let held = 0;
  for (let t = 0; t < exposure.length; t++) {
    const at = exposure[t]!;
    tradedSum += traded[t]!;
    costSum += costs[t]!;
    exposureSum += at;
    if (at > 0) held++;
  }
  return { traded: tradedSum, costs: costSum, exposure: exposureSum, held };
}
