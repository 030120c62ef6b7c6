import { barCount, type Bars } from './bars.ts';
import { barsFromRows, type BarRow } from './build.ts';
import { exogenousColumns, type BarTiming } from './exogenous-bars.ts';

/** `substitute`: stands in, whole, where no primary and no fallback has any bar. */
export type SourceRole = 'primary' | 'fallback' | 'substitute' | 'exogenous';

export interface SourcedBars {
  /** Dataset name, or whatever names the deliverer in records. */
  readonly name: string;
  readonly role: SourceRole;
  /** Sorted and unique. */
  readonly bars: Bars;
  /** When they are known: what exogenous columns are joined by. Absent where nobody says it. */
  readonly timing?: BarTiming | undefined;
}

/** Bars that one source gave, one after the other in the merged series. */
export interface DeliveredRange {
  /** Open times, ms UTC, both inclusive. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** What a merged series has from one source. */
export interface SourceDelivery {
  readonly name: string;
  readonly role: SourceRole;
  /** Bars taken from it; 0: columns only. */
  readonly rows: number;
  /** Which bars, in order of time, MAX_RANGES at most. */
  readonly ranges: readonly DeliveredRange[];
  /** Ranges left out of the list. */
  readonly moreRanges: number;
}

export interface MergedBars {
  readonly bars: Bars;
  /** Each source that gave any bar or column: those that deliver bars by rank, then the exogenous ones. */
  readonly deliveredBy: readonly SourceDelivery[];
}

/** Ranges listed for a source: one that fills single holes here and there would list thousands. */
const MAX_RANGES = 100;

/**
 * One series of several sources. The first source that has bars leads (primaries before fallbacks);
 * the others fill only instants that all before them lack. Where none of them has a bar, the first substitute that
 * has any gives them all: its prices are on a level of their own. Exogenous sources add columns
 * `name.open` ... `name.value` of what was known at the merged bars (`exogenousColumns`) and never a row.
 *
 * Returns undefined where no primary, no fallback and no substitute has a bar.
 */
export function mergeSources(sources: readonly SourcedBars[]): MergedBars | undefined {
  const ranked = rankSources(sources);
  const [lead, ...rest] = ranked;
  if (!lead) return undefined;
  let bars = rest.reduce((filled, source) => fillHoles(filled, source.bars), lead.bars);
  const deliveredBy = deliveriesOf(bars.openTime, ranked);
  const { timing } = lead;
  for (const source of sources) {
    if (source.role === 'exogenous' && barCount(source.bars) > 0) {
      const { name, role } = source;
      const columns = Object.entries(exogenousColumns({ bars, timing }, source));
      const named = columns.map(([column, values]) => [`${name}.${column}`, values] as const);
      bars = { ...bars, exogenous: { ...bars.exogenous, ...Object.fromEntries(named) } };
      deliveredBy.push({ name, role, rows: 0, ranges: [], moreRanges: 0 });
    }
  }
  return { bars, deliveredBy };
}

/** The sources whose bars make the series, first the one that leads: the order for closes too. */
export function rankSources<T extends Pick<SourcedBars, 'role' | 'bars'>>(
  sources: readonly T[],
): readonly T[] {
  const having = (role: SourceRole): T[] =>
    sources.filter((source) => source.role === role && barCount(source.bars) > 0);
  const ranked = [...having('primary'), ...having('fallback')];
  return ranked.length > 0 ? ranked : having('substitute').slice(0, 1);
}

function deliveriesOf(openTime: Float64Array, ranked: readonly SourcedBars[]): SourceDelivery[] {
  const ranges: DeliveredRange[][] = ranked.map(() => []);
  const has = ranked.map(({ bars }) => new Set(bars.openTime));
  let last = -1;
  for (const time of openTime) {
    const giver = has.findIndex((times) => times.has(time));
    const list = ranges[giver]!;
    const range = giver === last ? list.pop()! : { from: time, rows: 0 };
    list.push({ from: range.from, to: time, rows: range.rows + 1 });
    last = giver;
  }
  return ranked.flatMap(({ name, role }, i) => {
    const all = ranges[i]!;
    const rows = all.reduce((sum, range) => sum + range.rows, 0);
    const listed = all.slice(0, MAX_RANGES);
    return rows === 0
      ? []
      : [{ name, role, rows, ranges: listed, moreRanges: all.length - listed.length }];
  });
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
