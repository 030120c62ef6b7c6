/** Computes metrics of a catalogue over rows, with their intervals by one set of draws. */
import {
  drawBlocks,
  groupByTime,
  intervalOf,
  resampledMeans,
  type BlockDraws,
  type Interval,
  type TimeGroups,
} from './bootstrap.ts';
import { meanOf, type MetricOf, type WeightedStatistic } from './metric.ts';

/** Any fixed number: the months of a report are drawn the same everywhere. */
const UNIT_SEED = 20_260_102;
/**
 * Weighted metrics walk all rows for each resample. Above 25,000 rows fewer of the draws are used for them, so that
 * a large panel costs no more; never fewer than 200.
 */
const WALKED_ROWS_MAX = 50_000_000;
const WEIGHTED_RESAMPLES_MIN = 200;

/** The metric over all rows. Empty rows give NaN. */
export function computeMetric<Rows extends { readonly openTime: Float64Array }>(
  metric: MetricOf<Rows>,
  rows: Rows,
): number {
  if (metric.kind === 'means') return metric.value(metric.terms(rows).map(meanOf));
  const times = groupByTime(rows.openTime);
  const statistic = metric.prepare(rows, times);
  return statistic.value(new Float64Array(unitsOf(statistic, times.count)).fill(1));
}

/** Every metric by name, with its interval. `draws` are those of the rows' time stamps. */
export function scoreMetrics<Rows>(
  metrics: readonly MetricOf<Rows>[],
  rows: Rows,
  times: TimeGroups,
  draws: BlockDraws,
): Record<string, Interval> {
  const means = new Map<unknown, readonly Float64Array[]>();
  const meansOf = (terms: (of: Rows) => readonly Float64Array[]): readonly Float64Array[] => {
    const known = means.get(terms) ?? resampledMeans(terms(rows), times, draws);
    means.set(terms, known);
    return known;
  };
  const cache = new DrawCache(draws);
  const scored = metrics.map((metric): [string, Interval] => [
    metric.name,
    metric.kind === 'means'
      ? intervalOfMeans(meansOf(metric.terms), metric.value, draws)
      : intervalOfWeighted(metric.prepare(rows, times), times.group.length, cache),
  ]);
  return Object.fromEntries(scored);
}

function intervalOfMeans(
  means: readonly Float64Array[],
  value: (means: readonly number[]) => number,
  draws: BlockDraws,
): Interval {
  const at = (r: number): number => value(means.map((m) => m[r]!));
  const resampled = new Float64Array(draws.resamples);
  for (let r = 0; r < resampled.length; r++) resampled[r] = at(r + 1);
  return intervalOf(at(0), resampled, draws.tooFewBlocks);
}

function intervalOfWeighted(
  statistic: WeightedStatistic,
  rows: number,
  cache: DrawCache,
): Interval {
  const draws = cache.drawsOf(statistic);
  if (draws === null) return { value: null, low: null, high: null, tooFewBlocks: true };
  const point = statistic.value(new Float64Array(draws.n).fill(1));
  if (!Number.isFinite(point)) return intervalOf(point, new Float64Array(0), draws.tooFewBlocks);
  const most = Math.max(WEIGHTED_RESAMPLES_MIN, Math.floor(WALKED_ROWS_MAX / rows));
  const resampled = new Float64Array(Math.min(draws.resamples, most));
  const drawn = new Float64Array(draws.n);
  for (let r = 0; r < resampled.length; r++) {
    countDraws(draws, r, drawn);
    resampled[r] = statistic.value(drawn);
  }
  return intervalOf(point, resampled, draws.tooFewBlocks);
}

const unitsOf = ({ units }: WeightedStatistic, times: number): number =>
  units === 'times' ? times : units;

/** Draws of time stamps as given; of units that are drawn one by one, once for each number of them. */
class DrawCache {
  readonly #times: BlockDraws;
  readonly #ofUnits = new Map<number, BlockDraws>();

  constructor(times: BlockDraws) {
    this.#times = times;
  }

  /** null where there is nothing to draw from. */
  drawsOf({ units }: WeightedStatistic): BlockDraws | null {
    if (units === 'times') return this.#times;
    if (units === 0) return null;
    const { resamples } = this.#times;
    const draws =
      this.#ofUnits.get(units) ?? drawBlocks({ n: units, block: 1, seed: UNIT_SEED, resamples });
    this.#ofUnits.set(units, draws);
    return draws;
  }
}

/** How often resample r drew each of the n units. */
function countDraws(draws: BlockDraws, r: number, counts: Float64Array): void {
  const { n, block, starts } = draws;
  const perResample = Math.ceil(n / block);
  counts.fill(0);
  let left = n;
  for (let b = 0; b < perResample; b++) {
    const start = starts[r * perResample + b]!;
    for (let i = start; i < start + Math.min(block, left); i++) counts[i < n ? i : i - n]! += 1;
    left -= block;
  }
}
