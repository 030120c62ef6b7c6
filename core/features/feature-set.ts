import { createHash } from 'node:crypto';
import type { Bars, Timeframe } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { ANCHOR_BARS, anchorRow, barPositions, type IndicatorUse } from '../indicators/index.ts';

/** One column: a named indicator with its parameters. */
export interface FeatureColumn {
  readonly name: string;
  readonly family: string;
  readonly use: IndicatorUse;
}

/** Columns of one family, as pairs of a name and an indicator. */
export const named = (
  family: string,
  columns: readonly (readonly [name: string, use: IndicatorUse])[],
): FeatureColumn[] => columns.map(([name, bound]) => ({ name, family, use: bound }));

/** A named, ordered, hashed list of columns that a model reads: the same in training and serving. */
export interface FeatureSet {
  readonly name: string;
  readonly docs: string;
  readonly columns: readonly FeatureColumn[];
  readonly names: readonly string[];
  /** sha256 of names, order, indicators, parameters and the definitions' version. */
  readonly hash: string;
  /** First row at which all columns have a value, when history starts at row 0. */
  readonly warmupBars: number;
  /** Bars before a row after which older bars move no column by more than 1e-5 SD. */
  readonly memoryBars: number;
  /** Rows before the end row of the first whole window. */
  rowsBeforeWindow(lookback: number): number;
  /** Rows up to and including a window's last that can move a bit of it: lookback, memory, and the way to an anchor. */
  reachBars(lookback: number): number;
  /**
   * Bars of the calendar from the anchor of the window's first row to the window's last bar at
   * `lastOpenTime`, both included: what serving must load to compute the same bits. Where the market
   * never closes, bars may be missing for good: there it is one anchor more.
   */
  barsNeeded(
    lastOpenTime: number,
    lookback: number,
    calendar: Calendar,
    timeframe: Timeframe,
  ): number;
  /**
   * Bars that are missing at the start of `bars` for the window that ends at its last bar; 0: enough.
   * Bars that begin with the instrument's first recorded bar are always enough once they are warm.
   */
  missingBars(bars: Bars, lookback: number, calendar: Calendar): number;
}

export interface FeatureSetDefinition {
  readonly name: string;
  readonly docs: string;
  /** Raised whenever values change though names and parameters do not; an indicator may have a version of its own. */
  readonly version: number;
  readonly columns: readonly FeatureColumn[];
}

/** Throws `features.duplicate` when two columns have one name. */
export function defineFeatureSet(definition: FeatureSetDefinition): FeatureSet {
  const { name, docs, version, columns } = definition;
  const names = columns.map((column) => column.name);
  const twice = names.find((column, i) => names.indexOf(column) !== i);
  if (twice !== undefined) {
    throw new RatchetError('features.duplicate', `${name} has two columns named ${twice}`);
  }
  const content = JSON.stringify([version, columns.map((column) => [column.name, column.use.key])]);
  const warmupBars = Math.max(...columns.map((column) => column.use.warmupBars));
  const memoryBars = Math.max(...columns.map((column) => column.use.memoryBars));
  const anchorBars = columns.some((column) => column.use.recursive) ? ANCHOR_BARS : 0;
  return Object.freeze({
    name,
    docs,
    columns,
    names,
    hash: createHash('sha256').update(content).digest('hex'),
    warmupBars,
    memoryBars,
    rowsBeforeWindow: (lookback: number) => warmupBars + lookback - 1,
    reachBars: (lookback: number) => lookback + memoryBars + anchorBars,
    barsNeeded(lastOpenTime, lookback, calendar, timeframe) {
      const last = calendar.indexOf(lastOpenTime, timeframe);
      const oldest = last - (lookback - 1) - memoryBars;
      const anchor = Math.floor(oldest / ANCHOR_BARS) * ANCHOR_BARS;
      // Windows and memories count bars that exist: with holes they reach further back in time.
      return last - anchor + 1 + (calendar.alwaysOpen ? ANCHOR_BARS : 0);
    },
    missingBars: (bars, lookback, calendar) => missing(bars, lookback, calendar, memoryBars),
  } satisfies FeatureSet);
}

function missing(bars: Bars, lookback: number, calendar: Calendar, memory: number): number {
  const rows = barCount(bars);
  if (rows === 0) return lookback + memory + ANCHOR_BARS;
  const positions = barPositions(bars.openTime, calendar, bars.timeframe);
  const firstRow = rows - lookback;
  if (anchorRow(positions, firstRow, memory) > 0) return 0;
  // Row 0 serves too where it lies on an anchor itself; how far it is from one, the calendar tells.
  const before = Math.max(0, memory - firstRow);
  const first = positions.index[0]! - before;
  const anchored = first - Math.floor(first / ANCHOR_BARS) * ANCHOR_BARS;
  return before + anchored;
}
