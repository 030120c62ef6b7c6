import { createHash } from 'node:crypto';
import { RatchetError } from '../errors.ts';
import { BAR_COLUMNS, barCount, type Bars } from './bars.ts';

/**
 * Identity of a dataset version: sha256 (hex) of a schema line in UTF-8, then openTime and each column
 * as little-endian float64, rows in order of time. Every NaN counts as the same NaN, -0 as 0, so equal
 * numbers have equal hashes wherever they were made.
 *
 * Errors: `bars.unsorted` where open times do not strictly increase.
 */
export function hashBars(bars: Bars): string {
  const rows = barCount(bars);
  for (let i = 1; i < rows; i++) {
    if (!(bars.openTime[i]! > bars.openTime[i - 1]!)) {
      throw new RatchetError('bars.unsorted', `row ${i + 1} is not after the row before it`);
    }
  }
  const extra = Object.keys(bars.exogenous ?? {}).sort();
  const columns = ['openTime', ...BAR_COLUMNS, ...extra];
  const schema = {
    format: 'ratchet-bars/1',
    instrument: bars.instrument,
    timeframe: bars.timeframe,
    valueDerived: bars.valueDerived,
    columns,
    rows,
  };
  const hash = createHash('sha256').update(`${JSON.stringify(schema)}\n`, 'utf8');
  const scratch = new DataView(new ArrayBuffer(rows * 8));
  const bytes = new Uint8Array(scratch.buffer);
  const update = (column: Float64Array): void => {
    for (let i = 0; i < rows; i++) {
      const x = column[i]!;
      scratch.setFloat64(i * 8, x === 0 ? 0 : Number.isNaN(x) ? Number.NaN : x, true);
    }
    hash.update(bytes);
  };
  update(bars.openTime);
  for (const name of BAR_COLUMNS) update(bars[name]);
  for (const name of extra) update(bars.exogenous![name]!);
  return hash.digest('hex');
}
