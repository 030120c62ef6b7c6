/** Gives a column of so many rows, which holds anything at first. */
export type NewColumn = (rows: number) => Float64Array;

/**
 * Columns that work writes and leaves to nobody, kept for the next work of as many rows: memory that is new to a process
 * costs more than what is computed in it. Held weakly, so that it is given back where no such work is done any more.
 */
export class SpareColumns {
  #last: WeakRef<Float64Array[]> | undefined;

  /**
   * Does `work`, to which its columns belong until it ends; but for those that `stays` names of its result, and those of
   * work that fails.
   */
  during<T>(
    work: (column: NewColumn) => T,
    stays: (result: T) => readonly Float64Array[] = () => [],
  ): T {
    const spare = this.#last?.deref() ?? [];
    // Nobody else gets them meanwhile.
    this.#last = undefined;
    const used: Float64Array[] = [];
    const result = work((rows) => {
      const at = spare.findIndex(({ length }) => length === rows);
      const column = at < 0 ? new Float64Array(rows) : spare.splice(at, 1)[0]!;
      used.push(column);
      return column;
    });
    const gone = stays(result);
    this.#last = new WeakRef(used.filter((column) => !gone.includes(column)));
    return result;
  }
}
