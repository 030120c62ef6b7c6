import { figureOf, type Evaluation } from './evaluation.ts';
import type { EvaluationInput } from './input.ts';
import type { Served } from './served.ts';
import { referenceForecast } from './losses.ts';
import { onRows, pickRows } from './pick-rows.ts';
import { sliceScores, type SliceInput } from './slices.ts';
import { taskOf } from './task.ts';

/** Slices of the served seed's test rows; undefined where it is not known what to slice by. */
export function slicesOf(
  input: EvaluationInput,
  served: Pick<Served, 'predictions'>,
): Evaluation['slices'] {
  const { regime, instrument } = input.rows;
  if (regime === undefined) return undefined;
  const task = taskOf(input.label);
  const reference = task.references(input).find(({ name }) => name === task.skillReference)!;
  const usual = referenceForecast(input, reference);
  const rows = input.rows.openTime.length;
  const width = served.predictions.length / rows;
  const score: SliceInput['score'] = (own, k, drawn) => {
    const predictions = pickRows(served.predictions, own, width);
    return task.scores(onRows(input, own), predictions, k, drawn, [task.mainMetric])[
      task.mainMetric
    ]!;
  };
  const { slices, left } = sliceScores({
    openTime: input.rows.openTime,
    instruments: input.instruments,
    instrument: instrument ?? new Int32Array(rows),
    regime,
    barsPerDay: input.barsPerDay,
    horizons: input.horizons,
    overall: {
      loss: task.losses(input, served.predictions),
      reference: task.losses(input, usual),
    },
    byHorizon: input.horizons.map((_, k) => ({
      loss: task.lossesOfHorizon(input, served.predictions, k),
      reference: task.lossesOfHorizon(input, usual, k),
    })),
    score,
  });
  return {
    reference: reference.name,
    metric: task.mainMetric,
    scoreHorizon: Math.min(...input.horizons),
    left,
    slices: slices.map((slice) => ({
      ...slice,
      loss: figureOf(slice.loss),
      referenceLoss: figureOf(slice.referenceLoss),
    })),
  };
}
