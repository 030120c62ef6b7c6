import type { FactorRow } from '../bars/adjust.ts';
import type { Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import { DAY_MS } from '../calendar/day.ts';
import { SourceError } from './errors.ts';
import type { Profile } from './profile.ts';
import { columnPosition, parseTable } from './table.ts';
import { timeReader } from './time.ts';
import { decodeText, unpack } from './unpack.ts';

export interface CorporateEvent {
  /** Open time of the ex-date's bar. */
  readonly time: number;
  /** Cash a share, in the price's currency; 0: none. */
  readonly dividend: number;
  /** New shares for one old; 1: none. */
  readonly split: number;
}

/**
 * Cumulative factor rows of dividends and splits (the convention of CRSP):
 * an ex-date multiplies all earlier prices by (1 - dividend / close before it) / split.
 * Events before the first bar have nothing to adjust and are left out.
 */
export function factorsFromEvents(bars: Bars, events: readonly CorporateEvent[]): FactorRow[] {
  const rows: FactorRow[] = [];
  let price = 1;
  let split = 1;
  for (const event of [...events].sort((a, b) => b.time - a.time)) {
    const at = lowerBound(bars.openTime, event.time);
    if (at === 0) continue;
    price *= (1 - event.dividend / bars.close[at - 1]!) / event.split;
    split /= event.split;
    rows.unshift({ effectiveFrom: event.time, priceFactor: price, splitFactor: split });
  }
  return rows;
}

type FactorFile = NonNullable<Profile['factors']>;

/**
 * Factor rows of a file whose lines say: up to and including this date, raw prices are multiplied by
 * price x split and volumes divided by split. Lines that change nothing are kept.
 */
export function readFactors(bytes: Uint8Array, fileName: string, file: FactorFile): FactorRow[] {
  const table = parseTable(decodeText(unpack(bytes, fileName), fileName), fileName, {
    delimiter: file.delimiter,
    header: file.header,
    skipLines: 0,
    skipAfterHeader: 0,
  });
  const at = (what: 'date' | 'price' | 'split'): number =>
    columnPosition(table, fileName, what, file[what]);
  const [date, price, split] = [at('date'), at('price'), at('split')];
  const readTime = timeReader({ format: file.format, zone: 'UTC', stamp: 'open' }, '1d');
  return table.rows.map((row, i) => {
    const through = readTime(row[date] ?? '');
    const priceFactor = Number(row[price]);
    const splitFactor = Number(row[split]);
    if (through === undefined || !(priceFactor > 0) || !(splitFactor > 0)) {
      throw new SourceError(
        'source.factors',
        `${fileName}, line ${table.lineOf(i)}: not a date and two positive factors`,
      );
    }
    return {
      effectiveFrom: through + DAY_MS,
      priceFactor: priceFactor * splitFactor,
      splitFactor,
    };
  });
}
