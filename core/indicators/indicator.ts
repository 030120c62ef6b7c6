import type { z } from 'zod';
import type { BarPositions } from './positions.ts';

/**
 * What an indicator reads: the bars as columns, and what other indicators made of them. Columns
 * have room for `positions.capacity` rows; those that have bars, and values, are the first `rows`.
 */
export interface IndicatorInput {
  readonly rows: number;
  /** ms UTC. */
  readonly openTime: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
  /** Quote currency traded; volume x typical price where the source has none. */
  readonly value: Float64Array;
  /** Columns of exogenous sources, `dataset.column`; NaN where such a source had no bar. */
  readonly exogenous: Readonly<Record<string, Float64Array>>;
  readonly positions: BarPositions;
  /** Values of another indicator, computed once per input; not to be written to. */
  column(use: IndicatorUse): Float64Array;
  /** An intermediate that several indicators read, made once per input; not to be written to. */
  share<T>(key: string, make: () => T): T;
}

/**
 * One technical indicator. `compute` is pure, gives one value a bar and never reads a later bar.
 * Bars may be added later: what it gives is a column that steps of `input.positions` fill
 * (`columnOf` for most), never a loop over all rows.
 *
 * The value at bar t depends on nothing but the bars (and their places in the calendar) from the
 * anchor at or before `t - memoryBars` on; a windowed indicator on bars `t - memoryBars`..t alone.
 */
export interface Indicator<P extends z.ZodType = z.ZodType> {
  readonly name: string;
  /**
   * Raised when its values change though name and parameters do not; absent: 1. Values that differ
   * by rounding only, by at most 1e-9 (of a value above 1: of that value), keep the version: a
   * raised one refuses every package made before. The golden columns of the feature sets are held
   * at that tolerance.
   */
  readonly version?: number;
  /** What it is, formula, reference, neutral value. */
  readonly docs: string;
  readonly params: P;
  /** Leading values that are NaN when the history starts at bar 0. */
  warmupBars(params: z.output<P>): number;
  /** Bars before t after which older ones move the value by at most 1e-5 SD. */
  memoryBars(params: z.output<P>): number;
  /** True: starts at anchors (values depend on where recursion began); absent: windowed. */
  readonly recursive?: boolean;
  /** Columns of exogenous sources that it reads; absent: none. */
  exogenous?(params: z.output<P>): readonly string[];
  /** Parameter sets that conformance tests run beside the defaults. */
  readonly examples: readonly z.input<P>[];
  /**
   * One value a row. Best a column of `input.positions` that a step fills as rows come (`columnBy`, `columnOf`); any
   * other array of all rows is right too, and computed anew over all rows whenever some are added.
   */
  compute(input: IndicatorInput, params: z.output<P>): Float64Array;
}

export function defineIndicator<P extends z.ZodType>(indicator: Indicator<P>): Indicator<P> {
  return Object.freeze(indicator);
}

/** An indicator bound to parameters. */
export interface IndicatorUse {
  readonly name: string;
  readonly docs: string;
  /** Parameters with their defaults filled in. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Same key, same values. */
  readonly key: string;
  readonly warmupBars: number;
  readonly memoryBars: number;
  readonly recursive: boolean;
  /** Columns of exogenous sources that it reads. */
  readonly exogenous: readonly string[];
  readonly compute: (input: IndicatorInput) => Float64Array;
}

/** The first version stands in no key, so that hashes of before there were versions hold. */
const versionOf = ({ version = 1 }: { version?: number }): string =>
  version === 1 ? '' : `@${version}`;

/** Parameter sets remembered of one indicator: a spec may bring any, the catalogue's are few. */
const REMEMBERED_USES_MAX = 1000;

const bound = new WeakMap<object, Map<string, IndicatorUse>>();

/** Binds parameters (defaults filled in); throws a `ZodError` for parameters it does not take. */
export function use<P extends z.ZodType>(indicator: Indicator<P>, input: z.input<P>): IndicatorUse {
  const asked = JSON.stringify(input);
  let uses = bound.get(indicator);
  if (uses === undefined) bound.set(indicator, (uses = new Map()));
  let found = uses.get(asked);
  if (found === undefined) {
    const params = indicator.params.parse(input);
    found = {
      name: indicator.name,
      docs: indicator.docs,
      params: { ...(params as object) },
      key: `${indicator.name}${versionOf(indicator)}${JSON.stringify(params)}`,
      warmupBars: indicator.warmupBars(params),
      memoryBars: indicator.memoryBars(params),
      recursive: indicator.recursive === true,
      exogenous: indicator.exogenous?.(params) ?? [],
      compute: (columns) => indicator.compute(columns, params),
    };
    if (uses.size >= REMEMBERED_USES_MAX) uses.clear();
    uses.set(asked, found);
  }
  return found;
}
