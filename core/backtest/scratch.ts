import { runFigures, type RunFigures } from './rows.ts';

/** Columns that an evaluation writes and leaves to nobody. */
export interface Scratch {
  readonly run: RunFigures;
  readonly hold: RunFigures;
  readonly returns: Float64Array;
  readonly holdReturns: Float64Array;
}

/**
 * Those of the last evaluation, for the next one of as many rows: memory that is new to a process costs more than what is
 * computed in it. Held weakly, so that it is given back where nothing is evaluated any more.
 */
let last: WeakRef<Scratch> | undefined;

/** Does `work` over columns of so many rows, which hold anything at first. */
export function withScratch<T>(rows: number, work: (scratch: Scratch) => T): T {
  const known = last?.deref();
  // Nobody else gets them meanwhile.
  last = undefined;
  const scratch = known?.run.equity.length === rows ? known : scratchOf(rows);
  const result = work(scratch);
  last = new WeakRef(scratch);
  return result;
}

const scratchOf = (rows: number): Scratch => ({
  run: runFigures(rows),
  hold: runFigures(rows),
  returns: new Float64Array(Math.max(0, rows - 1)),
  holdReturns: new Float64Array(Math.max(0, rows - 1)),
});
