/** Decides which trials are worth going on with, at rungs of growing budget. */
export interface Pruner {
  readonly name: string;
  readonly docs: string;
  /** Cuts the family's training budget: of no use to a family without one. */
  readonly needsBudget: boolean;
  /** Budgets of the rungs, increasing; the last is `full`, the budget (epochs, rounds) of an ordinary fit, from 1. */
  rungs(full: number): readonly number[];
  /**
   * Does a trial with this validation loss go on after a rung? `earlier` are losses of other trials at the same rung. Pure
   * and total: a loss that is not finite never goes on.
   */
  keeps(loss: number, earlier: readonly number[]): boolean;
}

export const definePruner = (pruner: Pruner): Pruner => Object.freeze(pruner);
