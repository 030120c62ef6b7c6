import { type ColumnMemory, type RowsCall, rowsCalls } from '../wasm.ts';
import type { Step } from './positions.ts';

/** A step, and what it is where it does no more than call a program. */
export interface PlannedStep {
  readonly step: Step;
  readonly call: RowsCall | undefined;
}

/** The same steps in the same order, but those that call programs one after the other are one. */
export function planOf(
  steps: readonly PlannedStep[],
  memory: ColumnMemory | undefined,
): readonly Step[] {
  const runs = runsOf(steps);
  const lists = runs.map((run) => run.flatMap(({ call }) => (call ? [call] : [])));
  const made = memory ? rowsCalls(memory, lists.filter(isWorthIt)) : [];
  let used = 0;
  return runs.flatMap((run, i) =>
    memory && isWorthIt(lists[i]!) ? made[used++]! : run.map(({ step }) => step),
  );
}

const isWorthIt = (calls: readonly RowsCall[]): boolean => calls.length > 1;

/** Steps that stand together: those that call programs, or one that does not. */
function runsOf(steps: readonly PlannedStep[]): PlannedStep[][] {
  const runs: PlannedStep[][] = [];
  let open: PlannedStep[] | undefined;
  for (const one of steps) {
    if (one.call === undefined) open = undefined;
    if (open === undefined) runs.push((open = []));
    open.push(one);
    if (one.call === undefined) open = undefined;
  }
  return runs;
}
