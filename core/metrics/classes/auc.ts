/**
 * Area under the ROC curve: the probability that a row of the class has a higher score than a row of another class,
 * ties counting half (Mann and Whitney 1947). Rows are sorted once and counted anew for each resample, so point
 * estimate and interval are both exact.
 * Edge cases: no row of a side gives NaN; a constant score gives 0.5.
 */
import type { TimeGroups } from '../bootstrap.ts';
import { sortColumn } from '../correlation.ts';
import { defineWeightedMetric, termOf, type WeightedStatistic } from '../metric.ts';
import { probabilityOf, type ClassMetric, type ClassRows } from './class-rows.ts';

type Side = 1 | 0 | undefined;

/** One-vs-rest, mean over the classes that came (and did not always come). */
export const auc: ClassMetric = defineWeightedMetric<ClassRows>({
  name: 'auc',
  title: 'AUC',
  docs: 'Area under the ROC curve of each class against the rest, mean over the classes that came. 0.5 by chance, 1 at best. Knowing when it moves raises it without knowing where: see the AUC of the direction.',
  direction: 'higher',
  format: 'number',
  prepare: (rows, times) => {
    const each = rows.classes.map((_, c) =>
      areaOf(rows, times, probabilityOf(rows, c), (actual) => (actual === c ? 1 : 0)),
    );
    return overClasses(each);
  },
});

/** Of the rows that came as the first or the last class: does p(last) - p(first) tell them apart? */
export const aucDirection: ClassMetric = defineWeightedMetric<ClassRows>({
  name: 'aucDirection',
  title: 'AUC of the direction',
  docs: 'Area under the ROC curve of p(rise) - p(fall), over the rows that rose or fell: where it moves, not whether. 0.5 by chance; not defined for two classes.',
  direction: 'higher',
  format: 'number',
  prepare: (rows, times) => {
    const last = rows.classes.length - 1;
    if (last < 2) return { units: 'times', value: () => NaN };
    const [rise, fall] = [probabilityOf(rows, last), probabilityOf(rows, 0)];
    const score = termOf(rise.length, (row) => rise[row]! - fall[row]!);
    const side = (actual: number): Side => (actual === last ? 1 : actual === 0 ? 0 : undefined);
    return { units: 'times', value: areaOf(rows, times, score, side) };
  },
});

function overClasses(each: readonly ((weights: Float64Array) => number)[]): WeightedStatistic {
  return {
    units: 'times',
    value: (weights) => {
      const areas = each.map((area) => area(weights)).filter((area) => !Number.isNaN(area));
      return areas.reduce((a, b) => a + b, 0) / areas.length;
    },
  };
}

/** Area as a function of the time stamps' weights; rows without a side are left out. */
function areaOf(
  { actual, probabilities }: ClassRows,
  { group }: TimeGroups,
  score: Float64Array,
  sideOf: (actual: number) => Side,
): (weights: Float64Array) => number {
  if (probabilities.some(Number.isNaN) || actual.some(Number.isNaN)) return () => NaN;
  const kept = [...actual.keys()].filter((row) => sideOf(actual[row]!) !== undefined);
  const pick = (column: ArrayLike<number>): Float64Array =>
    Float64Array.from(kept, (row) => column[row]!);
  const { order, unit, endsTie } = sortColumn(pick(score), Int32Array.from(pick(group)));
  const positive = Float64Array.from(order, (at) => sideOf(actual[kept[at]!]!)!);
  return (weights) => {
    let below = 0;
    let wins = 0;
    let positives = 0;
    let tiedPositive = 0;
    let tied = 0;
    for (let i = 0; i < unit.length; i++) {
      // No branch on the side: it is as good as random, and this loop runs once for each resample.
      const weight = weights[unit[i]!]!;
      tied += weight;
      tiedPositive += weight * positive[i]!;
      if (endsTie[i] === 0) continue;
      wins += tiedPositive * (below + (tied - tiedPositive) / 2);
      below += tied - tiedPositive;
      positives += tiedPositive;
      tied = 0;
      tiedPositive = 0;
    }
    return wins / (positives * below);
  };
}
