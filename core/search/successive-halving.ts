import { definePruner } from './pruner.ts';

/** Reduction factor: each rung has three times the budget of the one before, for the best third. */
const ETA = 3;
/** More rungs would begin with budgets that say nothing about the end. */
const RUNGS_MAX = 4;

/**
 * Successive halving in its asynchronous form: no trial waits for others.
 * Formula: budgets full / 3^k, rounded up, at most 4 of them; with n losses at a rung, the trial's own among them, it goes
 * on when its rank is at most max(1, floor(n / 3)); ties go to the earlier trial.
 * Reference: Jamieson and Talwalkar 2016; Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020.
 * Edge: the first trials meet few others: a new best always goes on.
 */
export const successiveHalving = definePruner({
  name: 'successiveHalving',
  docs:
    'Rungs of a 27th, a 9th, a third and all of the budget; after each only the best third of the trials so far goes ' +
    'on, from its checkpoint where the family has one.',
  needsBudget: true,
  rungs: (full) => {
    const budgets: number[] = [];
    for (let k = RUNGS_MAX - 1; k >= 0; k--) budgets.push(Math.ceil(full / ETA ** k));
    return [...new Set(budgets)];
  },
  keeps: (loss, earlier) => {
    if (!Number.isFinite(loss)) return false;
    const rank = 1 + earlier.filter((other) => other <= loss).length;
    return rank <= Math.max(1, Math.floor((earlier.length + 1) / ETA));
  },
});
