/** Rows looked back over, as a multiple of the window: markets that do not trade on the same days leave holes. */
const LOOK_BACK = 3;

export interface ReturnWindow {
  /** Numbers of the columns that take part, increasing. */
  readonly columns: readonly number[];
  /** Their last `window` returns in rows where all of them have one, oldest first. */
  readonly returns: readonly Float64Array[];
}

/**
 * The last returns of all columns up to a row. Of columns that have fewer than `window` values in the last
 * `3 window` rows, or (where `moved` is set) did not move, none is taken; undefined where the others have too few rows in
 * common, or there are none.
 */
export function windowAt(
  returns: readonly Float64Array[],
  row: number,
  window: number,
  moved: boolean,
): ReturnWindow | undefined {
  const first = Math.max(0, row + 1 - LOOK_BACK * window);
  const known = returns.flatMap((x, i) => {
    let count = 0;
    for (let t = first; t <= row; t++) if (Number.isFinite(x[t]!)) count++;
    return count >= window ? [i] : [];
  });
  const rows: number[] = [];
  for (let t = row; t >= first && rows.length < window; t--) {
    if (known.every((i) => Number.isFinite(returns[i]![t]!))) rows.push(t);
  }
  if (rows.length < window || known.length === 0) return undefined;
  rows.reverse();
  const taken = known.map((i) => Float64Array.from(rows, (t) => returns[i]![t]!));
  const used = taken.map((x) => !moved || x.some((value) => value !== x[0]));
  return {
    columns: known.filter((_, k) => used[k]),
    returns: taken.filter((_, k) => used[k]),
  };
}
