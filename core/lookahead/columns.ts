import { barCount, type Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';

/**
 * Anything that makes columns of bars: a feature set, a label, a strategy. Pure; each column has one value a bar.
 * What else it reads (a model's answers) it must cut to the bars that it is given.
 */
export type ColumnsOf = (bars: Bars) => Readonly<Record<string, Float64Array>>;

/** Runs `of`; throws `lookahead.length` where a column has not one value a bar. */
export function columnsOf(of: ColumnsOf, bars: Bars): Readonly<Record<string, Float64Array>> {
  const columns = of(bars);
  const rows = barCount(bars);
  for (const [column, values] of Object.entries(columns)) {
    if (values.length === rows) continue;
    throw new RatchetError(
      'lookahead.length',
      `column ${column} has ${values.length} values for ${rows} bars`,
      { details: { column, values: values.length, rows } },
    );
  }
  return columns;
}
