import { labelOutputs } from '../labels/index.ts';
import { groupByTime } from '../metrics/bootstrap.ts';
import { clipScale } from '../metrics/e-value.ts';
import { compareLosses, type Comparison } from '../metrics/comparison.ts';
import { meanOf } from '../metrics/metric.ts';
import { powerOf } from '../metrics/power.ts';
import { figureOf, type EvaluatedComparison } from './evaluation.ts';
import type { EvaluationInput, NamedForecast } from './input.ts';
import { rowsWithoutHindsight } from './folds.ts';
import { lossesByTime } from './losses.ts';
import { onRows, pickRows } from './pick-rows.ts';
import { drawAll, skillInterval, type Draws } from './scores.ts';
import type { Served } from './served.ts';

/** All seeds against a reference or a baseline, on the test rows that no fit knew more than a live one. */
export function compareWith(
  input: EvaluationInput,
  served: Served,
  other: NamedForecast,
  draws: Draws,
): EvaluatedComparison {
  const rows = rowsWithoutHindsight(input);
  const only = rows === undefined ? input : onRows(input, rows);
  const groups = rows === undefined ? draws.groups : groupByTime(only.rows.openTime);
  const width = input.horizons.length * labelOutputs(input.label);
  const lossOf = (predictions: Float64Array): Float64Array => {
    const picked = rows === undefined ? predictions : pickRows(predictions, rows, width);
    return lossesByTime(only, picked, groups);
  };
  const others = lossOf(other.predictions);
  const comparison = compareLosses({
    other: others,
    challenger: served.challengers.map(lossOf),
    horizon: Math.max(...input.horizons),
  });
  return recordOf(comparison, other.name, null, {
    served: lossOf(served.predictions),
    other: others,
    input: only,
  });
}

/** On rows after what either of the two was trained on, and the embargo after it, where both give a forecast. */
export function compareWithChampion(
  input: EvaluationInput,
  served: Served,
): EvaluatedComparison | undefined {
  const { champion } = input;
  if (champion === null) return undefined;
  const width = input.horizons.length * labelOutputs(input.label);
  const { trainedThrough, newFrom = -Infinity } = champion;
  // The embargo after what the challenger knows lies before its test rows.
  const after = Math.max(trainedThrough, input.trainedThrough);
  const common = [...input.rows.openTime.keys()].filter(
    (row) =>
      input.rows.openTime[row]! > after &&
      input.rows.openTime[row]! >= newFrom &&
      champion.predictions
        .subarray(row * width, (row + 1) * width)
        .every((value) => !Number.isNaN(value)),
  );
  if (common.length === 0) return undefined;
  const only = onRows(input, common);
  const groups = groupByTime(only.rows.openTime);
  const pick = (predictions: Float64Array): Float64Array =>
    lossesByTime(only, pickRows(predictions, common, width), groups);
  const other = pick(champion.predictions);
  const comparison = compareLosses({
    other,
    challenger: served.challengers.map(pick),
    horizon: Math.max(...input.horizons),
  });
  return recordOf(comparison, 'champion', champion.version, {
    served: pick(served.predictions),
    other,
    input: only,
  });
}

function recordOf(
  comparison: Comparison,
  against: string,
  version: number | null,
  at: {
    readonly served: Float64Array;
    readonly other: Float64Array;
    readonly input: EvaluationInput;
  },
): EvaluatedComparison {
  const groups = {
    count: at.other.length,
    group: Int32Array.from(at.other.keys()),
  };
  return {
    ...comparison,
    against,
    version,
    otherLoss: figureOf(comparison.otherLoss),
    challengerLoss: figureOf(comparison.challengerLoss),
    meanDifference: figureOf(comparison.meanDifference),
    relativeDifference: figureOf(comparison.relativeDifference),
    seedVariance: figureOf(comparison.seedVariance),
    servedRelativeDifference: skillInterval(
      at.served,
      at.other,
      groups,
      drawAll(at.input, groups).overall,
    ),
    servedMeanDifference: figureOf(meanOf(at.other) - meanOf(at.served)),
    power: powerOf(comparison.rows, comparison.horizon),
    clipScale: clipScale(
      at.other.map((loss, i) => loss - at.served[i]!),
      comparison.horizon,
    ),
  };
}
