import { definePruner } from './pruner.ts';

/** Every trial has its whole budget. */
export const noPruning = definePruner({
  name: 'none',
  docs: 'Every trial is trained to its end.',
  needsBudget: false,
  rungs: (full) => [full],
  keeps: () => true,
});
