import type { BacktestRun } from '../engine.ts';

/** Sums over the rows of a run. */
export interface Totals {
  readonly traded: number;
  readonly costs: number;
  readonly exposure: number;
  /** Rows at which anything is held. */
  readonly held: number;
}

export function totalsOf(run: BacktestRun): Totals {
  let traded = 0;
  let costs = 0;
  let exposure = 0;
  let held = 0;
  for (let t = 0; t < run.exposure.length; t++) {
    const at = run.exposure[t]!;
    traded += run.traded[t]!;
    costs += run.costs[t]!;
    exposure += at;
    if (at > 0) held++;
  }
  return { traded, costs, exposure, held };
}
