import { BAR_COLUMNS, barCount, type Bars } from './bars.ts';
import { barsFromRows, lowerBound, type BarRow } from './build.ts';

export type SourceRole = 'primary' | 'fallback' | 'exogenous';

export interface SourcedBars {
  /** Dataset name, or whatever names the deliverer in records. */
  readonly name: string;
  readonly role: SourceRole;
  /** Sorted and unique. */
  readonly bars: Bars;
}

export interface MergedBars {
  readonly bars: Bars;
  /** Rows taken from each source that gave any, in the order of the sources. */
  readonly deliveredBy: readonly { readonly name: string; readonly rows: number }[];
}

/**
 * One series of several sources. The first source that has bars leads (primaries before fallbacks);
 * the others fill only instants that all before them lack. Exogenous sources add columns
 * `name.open` ... `name.value` at the instants of the merged bars and never a row.
 *
 * Returns undefined where no primary and no fallback has a bar.
 */
export function mergeSources(sources: readonly SourcedBars[]): MergedBars | undefined {
  const ranked = [
    ...sources.filter((s) => s.role === 'primary'),
    ...sources.filter((s) => s.role === 'fallback'),
  ].filter((s) => barCount(s.bars) > 0);
  const [lead, ...rest] = ranked;
  if (!lead) return undefined;
  const deliveredBy = [{ name: lead.name, rows: barCount(lead.bars) }];
  let bars = lead.bars;
  for (const source of rest) {
    const filled = fillHoles(bars, source.bars);
    const rows = barCount(filled) - barCount(bars);
    if (rows > 0) deliveredBy.push({ name: source.name, rows });
    bars = filled;
  }
  for (const source of sources) {
    if (source.role === 'exogenous' && barCount(source.bars) > 0) {
      bars = addExogenous(bars, source);
      deliveredBy.push({ name: source.name, rows: 0 });
    }
  }
  return { bars, deliveredBy };
}

/** `bars` plus those bars of `other` whose open time `bars` does not have. */
function fillHoles(bars: Bars, other: Bars): Bars {
  const has = new Set(bars.openTime);
  if (other.openTime.every((t) => has.has(t))) return bars;
  const rows: BarRow[] = [];
  const push = (from: Bars, i: number): void => {
    rows.push({
      openTime: from.openTime[i]!,
      open: from.open[i]!,
      high: from.high[i]!,
      low: from.low[i]!,
      close: from.close[i]!,
      volume: from.volume[i]!,
      value: from.value[i]!,
    });
  };
  for (let i = 0; i < barCount(bars); i++) push(bars, i);
  for (let i = 0; i < barCount(other); i++) if (!has.has(other.openTime[i]!)) push(other, i);
  rows.sort((a, b) => a.openTime - b.openTime);
  return {
    ...barsFromRows(bars.instrument, bars.timeframe, rows),
    valueDerived: bars.valueDerived || other.valueDerived,
  };
}

function addExogenous(bars: Bars, source: SourcedBars): Bars {
  const exogenous: Record<string, Float64Array> = { ...bars.exogenous };
  const at = Int32Array.from(bars.openTime, (time) => {
    const position = lowerBound(source.bars.openTime, time);
    return source.bars.openTime[position] === time ? position : -1;
  });
  for (const column of BAR_COLUMNS) {
    const from = source.bars[column];
    exogenous[`${source.name}.${column}`] = Float64Array.from(at, (i) =>
      i < 0 ? Number.NaN : from[i]!,
    );
  }
  return { ...bars, exogenous };
}
