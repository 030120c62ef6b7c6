/**
 * Information coefficient (IC): how a forecast return goes with the return that came. RankIC is the same of ranks,
 * ICIR and RankICIR are mean / SD (ddof 1) of ICs over time: is the relation there always, or now and then?
 *
 * As qlib has them (`qlib/contrib/eva/alpha.py calc_ic`, `qlib/workflow/record_temp.py SigAnaRecord`) where rows are a
 * cross-section: the IC of each time stamp over instruments, then mean and mean / SD over time stamps.
 * Ours differs from it:
 * - a time stamp counts with at least five instruments; a correlation of two or three rows is mostly +-1;
 * - where most time stamps have fewer (one instrument, or a few), there is no cross-section. IC and RankIC are then
 *   correlations over all rows, and the ratios are over the shares that calendar months (UTC) with at least ten rows have
 *   in it: the mean product of forecast and return (or of their ranks), standardised over *all* rows. A correlation
 *   within each month would take the month's own means out of both, and a forecast that moves slowly then goes with the
 *   returns of its month by construction, on a martingale too (Stambaugh, 1999, of predictive regressions);
 * - months are drawn one by one for their intervals, being longer than any block.
 * Edge cases: a time stamp or month whose forecasts or returns do not vary is left out; fewer than six of them, or a
 * SD of 0, give no ratio. Rows whose return is unknown are left out; a NaN forecast makes all figures NaN.
 */
import { groupByTime, type TimeGroups } from './bootstrap.ts';
import {
  centred,
  correlationOfMeans,
  pearson,
  ranksOf,
  spearman,
  spearmanOf,
} from './correlation.ts';
import {
  defineWeightedMetric,
  type MetricFacts,
  type WeightedMetric,
  type WeightedStatistic,
} from './metric.ts';

/** One entry a row. */
export interface ReturnPairs {
  /** ms UTC. */
  readonly openTime: Float64Array;
  /** Forecast return, as a fraction. */
  readonly forecast: Float64Array;
  /** Return that came; NaN where it is unknown. */
  readonly outcome: Float64Array;
}

const CROSS_SECTION_MIN = 5;
const MONTH_ROWS_MIN = 10;
/** The spread of fewer correlations says nothing. */
const RATIO_UNITS_MIN = 6;
/** Correlations that differ by less differ by rounding only. */
const SD_MIN = 1e-12;

type Correlation = (x: Float64Array, y: Float64Array) => number;

const FACTS = { direction: 'higher', format: 'number' } as const;

/** The four figures for rows from which forecast and actual returns can be read. */
export function informationCoefficients<Rows>(
  pairsOf: (rows: Rows) => ReturnPairs,
): readonly WeightedMetric<Rows>[] {
  const define = (
    facts: Pick<MetricFacts, 'name' | 'title' | 'docs'>,
    prepare: (known: KnownPairs) => WeightedStatistic,
  ): WeightedMetric<Rows> =>
    defineWeightedMetric({
      ...facts,
      ...FACTS,
      prepare: (rows, times) => {
        const pairs = pairsOf(rows);
        return pairs.forecast.some(Number.isNaN) ? UNDEFINED : prepare(known(pairs, times));
      },
    });
  return [
    define(
      {
        name: 'ic',
        title: 'IC',
        docs: 'Information coefficient: Pearson correlation of forecast and actual return, -1..1; mean over time stamps with five or more instruments, else over all rows.',
      },
      (pairs) => coefficient(pairs, pearson, pearsonOfUnits),
    ),
    define(
      {
        name: 'rankIc',
        title: 'RankIC',
        docs: 'Spearman correlation of forecast and actual return, -1..1; mean over time stamps with five or more instruments, else over all rows.',
      },
      (pairs) => coefficient(pairs, spearman, spearmanOf),
    ),
    define(
      {
        name: 'icir',
        title: 'ICIR',
        docs: 'Mean over SD of the IC by time stamp (five or more instruments), else of what each calendar month adds to it: how steady the relation is. Not annualised.',
      },
      (pairs) => ratio(pairs, pearson, (column) => column),
    ),
    define(
      {
        name: 'rankIcir',
        title: 'RankICIR',
        docs: 'Mean over SD of the RankIC by time stamp (five or more instruments), else of what each calendar month adds to it. Not annualised.',
      },
      (pairs) => ratio(pairs, spearman, ranksOf),
    ),
  ];
}

const UNDEFINED: WeightedStatistic = { units: 'times', value: () => NaN };

/** Rows with a known return, and the position of their time stamp among those of all rows. */
interface KnownPairs {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly unit: Int32Array;
  readonly openTime: Float64Array;
  readonly times: number;
}

function known(pairs: ReturnPairs, times: TimeGroups): KnownPairs {
  const rows = [...pairs.outcome.keys()].filter((row) => !Number.isNaN(pairs.outcome[row]!));
  const pick = (column: Float64Array): Float64Array =>
    Float64Array.from(rows, (row) => column[row]!);
  return {
    x: pick(pairs.forecast),
    y: pick(pairs.outcome),
    unit: Int32Array.from(rows, (row) => times.group[row]!),
    openTime: pick(pairs.openTime),
    times: times.count,
  };
}

/** Mean IC of a cross-section, or the correlation over all rows. */
function coefficient(
  pairs: KnownPairs,
  correlation: Correlation,
  overall: (pairs: KnownPairs) => (weights: Float64Array) => number,
): WeightedStatistic {
  if (!isCrossSection(pairs)) return { units: 'times', value: overall(pairs) };
  const series = correlationsByUnit(pairs, pairs.times, CROSS_SECTION_MIN, correlation);
  return { units: 'times', value: (weights) => momentsOf(series, weights).mean };
}

/** `scoreOf`: what of a column is standardised where there is no cross-section. */
function ratio(
  pairs: KnownPairs,
  correlation: Correlation,
  scoreOf: (column: Float64Array) => Float64Array,
): WeightedStatistic {
  const over = (series: Float64Array) => (weights: Float64Array) => {
    const { n, mean, sd } = momentsOf(series, weights);
    return n >= RATIO_UNITS_MIN && sd > SD_MIN ? mean / sd : NaN;
  };
  if (isCrossSection(pairs)) {
    const series = correlationsByUnit(pairs, pairs.times, CROSS_SECTION_MIN, correlation);
    return { units: 'times', value: over(series) };
  }
  const months = groupByTime(pairs.openTime.map(monthOf));
  const [x, y] = [standardised(scoreOf(pairs.x)), standardised(scoreOf(pairs.y))];
  const products = x.map((value, i) => value * y[i]!);
  const series = meansByUnit(products, months, MONTH_ROWS_MIN);
  return { units: series.length, value: over(series) };
}

/** Less its mean, by its SD (population); NaN where it does not vary. */
function standardised(column: Float64Array): Float64Array {
  const own = centred(column);
  const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
  const sd = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length);
  return own.map((value) => (sd > 0 ? (value - mean) / sd : NaN));
}

/** Of units with enough rows, in order; those whose mean is not defined are left out. */
function meansByUnit(values: Float64Array, units: TimeGroups, rowsMin: number): Float64Array {
  const sums = new Float64Array(units.count);
  const rows = new Int32Array(units.count);
  values.forEach((value, i) => {
    sums[units.group[i]!]! += value;
    rows[units.group[i]!]!++;
  });
  return sums
    .map((sum, unit) => (rows[unit]! >= rowsMin ? sum / rows[unit]! : NaN))
    .filter((mean) => !Number.isNaN(mean));
}

function monthOf(openTime: number): number {
  const date = new Date(openTime);
  return 12 * date.getUTCFullYear() + date.getUTCMonth();
}

/** Do most time stamps have enough instruments? */
function isCrossSection({ unit, times }: KnownPairs): boolean {
  const counts = new Int32Array(times);
  for (const at of unit) counts[at]! += 1;
  return counts.filter((count) => count >= CROSS_SECTION_MIN).length * 2 > times;
}

/** Correlation of the rows of each unit; NaN where there are too few or they do not vary. */
function correlationsByUnit(
  { x, y, unit }: KnownPairs,
  units: number,
  rowsMin: number,
  correlation: Correlation,
): Float64Array {
  const rows: number[][] = Array.from({ length: units }, () => []);
  unit.forEach((at, row) => rows[at]!.push(row));
  return Float64Array.from(rows, (own) => {
    if (own.length < rowsMin) return NaN;
    const pick = (column: Float64Array): Float64Array =>
      Float64Array.from(own, (row) => column[row]!);
    return correlation(pick(x), pick(y));
  });
}

/** Mean and SD (ddof 1) of the values that are defined. */
function momentsOf(
  series: Float64Array,
  weights: Float64Array,
): { readonly n: number; readonly mean: number; readonly sd: number } {
  let n = 0;
  let sum = 0;
  for (let i = 0; i < series.length; i++) {
    if (Number.isNaN(series[i]!)) continue;
    n += weights[i]!;
    sum += weights[i]! * series[i]!;
  }
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < series.length; i++) {
    if (!Number.isNaN(series[i]!)) squares += weights[i]! * (series[i]! - mean) ** 2;
  }
  return { n, mean, sd: Math.sqrt(squares / (n - 1)) };
}

/** Pearson correlation over all rows from the sums of each unit: no row is walked twice. */
function pearsonOfUnits(pairs: KnownPairs): (weights: Float64Array) => number {
  const [x, y] = [centred(pairs.x), centred(pairs.y)];
  const terms = [x.map(() => 1), x, y, x.map((v) => v * v), y.map((v) => v * v)];
  terms.push(x.map((v, i) => v * y[i]!));
  const sums = terms.map((term) => {
    const byUnit = new Float64Array(pairs.times);
    for (let i = 0; i < term.length; i++) byUnit[pairs.unit[i]!]! += term[i]!;
    return byUnit;
  });
  return (weights) => {
    const [n = NaN, ...totals] = sums.map((byUnit) => {
      let total = 0;
      for (let i = 0; i < byUnit.length; i++) total += weights[i]! * byUnit[i]!;
      return total;
    });
    return correlationOfMeans(totals.map((total) => total / n));
  };
}
