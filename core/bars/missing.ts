import type { Sessions } from './sessions.ts';
import { assertNever } from '../errors.ts';
import { barCount, type Bars } from './bars.ts';
import { mapColumns, takeBars } from './build.ts';

export const MISSING_POLICIES = ['ffill', 'zero', 'drop'] as const;
export type MissingPolicy = (typeof MISSING_POLICIES)[number];

/** What is declared for the instruments of a unit: one policy, others by instrument, and the head. */
export interface MissingRules {
  readonly missing: MissingPolicy;
  /** By instrument, where it is not `missing`. */
  readonly missingBy?: Readonly<Record<string, MissingPolicy>>;
  /** `drop`: no back fill even in the warm-up; absent: back fill there. */
  readonly missingHead?: 'drop';
}

/** The policy of one instrument. */
export const missingPolicyOf = (
  { missing, missingBy = {} }: Pick<MissingRules, 'missing' | 'missingBy'>,
  instrument: string,
): MissingPolicy => (Object.hasOwn(missingBy, instrument) ? missingBy[instrument]! : missing);

/** `applyMissing` as the rules say for the bars' instrument; `headBars`: rows that no sample uses. */
export function fillMissing(
  bars: Bars,
  calendar: Sessions,
  rules: MissingRules,
  headBars: number,
): Bars {
  const head = rules.missingHead === 'drop' ? 0 : headBars;
  return applyMissing(bars, calendar, missingPolicyOf(rules, bars.instrument), head);
}

/**
 * Bars with the declared policy applied to what the calendar expects and the data lacks, whole rows and
 * NaN cells alike:
 * - `ffill`: a missing row repeats the last close as its four prices, and volume and value; a NaN cell
 *   repeats its column.
 * - `zero`: the same prices, but volume and value 0: nobody traded.
 * - `drop`: rows with a NaN are left out, holes stay.
 * Back fill happens only in the first `headBars` rows, which no sample may use (the warm-up): there a
 * NaN before the first number of its column takes that number. What no rule can fill is dropped.
 * Exogenous columns stay as they are, NaN where such a source had no bar: they never drop a row, and how long
 * one of their values counts is said by the feature that reads it.
 *
 * Never looks ahead: the result up to row i depends on rows up to i alone, the head excepted.
 */
export function applyMissing(
  bars: Bars,
  calendar: Sessions,
  policy: MissingPolicy,
  headBars = 0,
): Bars {
  switch (policy) {
    case 'drop':
      return dropIncomplete(backFillHead(bars, headBars));
    case 'ffill':
      return fillForward(backFillHead(withRowsOf(bars, calendar), headBars), false);
    case 'zero':
      return fillForward(backFillHead(withRowsOf(bars, calendar), headBars), true);
    default:
      return assertNever(policy);
  }
}

/** Every bar the calendar has between the first and the last bar; NaN where there was none. */
function withRowsOf(bars: Bars, calendar: Sessions): Bars {
  const n = barCount(bars);
  if (n === 0) return bars;
  const expected = calendar.between(bars.openTime[0]!, bars.openTime[n - 1]!, bars.timeframe);
  // A bar outside the calendar is the quality rules' business; here it stays.
  const all = new Set([...expected, ...bars.openTime]);
  if (all.size === n) return bars;
  const openTime = Float64Array.from(all).sort();
  const at = new Int32Array(openTime.length).fill(-1);
  for (let i = 0, j = 0; i < openTime.length && j < n; i++) {
    if (openTime[i] === bars.openTime[j]) at[i] = j++;
  }
  const spread = (column: Float64Array): Float64Array =>
    Float64Array.from(at, (i) => (i < 0 ? Number.NaN : column[i]!));
  return mapColumns(bars, spread, openTime);
}

function backFillHead(bars: Bars, headBars: number): Bars {
  if (headBars <= 0) return bars;
  return mapColumns(bars, (column, name) => {
    if (bars.exogenous && name in bars.exogenous) return column;
    const first = column.findIndex((x) => !Number.isNaN(x));
    if (first <= 0 || first > headBars) return column;
    return Float64Array.from(column).fill(column[first]!, 0, first);
  });
}

function fillForward(bars: Bars, zeroVolume: boolean): Bars {
  const n = barCount(bars);
  const filled = mapColumns(bars, (column) => Float64Array.from(column));
  const { open, high, low, close, volume, value } = filled;
  for (let i = 1; i < n; i++) {
    const wholeRow = Number.isNaN(open[i]!) && Number.isNaN(close[i]!);
    if (wholeRow) {
      open[i] = high[i] = low[i] = close[i] = close[i - 1]!;
    } else {
      for (const column of [open, high, low, close]) {
        if (Number.isNaN(column[i]!)) column[i] = column[i - 1]!;
      }
      // A carried high or low must still hold the row's own prices.
      high[i] = Math.max(high[i]!, open[i]!, close[i]!, low[i]!);
      low[i] = Math.min(low[i]!, open[i]!, close[i]!);
    }
    for (const column of [volume, value]) {
      if (Number.isNaN(column[i]!)) column[i] = zeroVolume ? 0 : column[i - 1]!;
    }
  }
  return dropIncomplete(filled);
}

function dropIncomplete(bars: Bars): Bars {
  const keep: number[] = [];
  for (let i = 0; i < barCount(bars); i++) {
    const sum =
      bars.open[i]! +
      bars.high[i]! +
      bars.low[i]! +
      bars.close[i]! +
      bars.volume[i]! +
      bars.value[i]!;
    if (!Number.isNaN(sum)) keep.push(i);
  }
  return keep.length === barCount(bars) ? bars : takeBars(bars, keep);
}
