/**
 * Several folds in one evaluation: each test row was forecast by the fold that had not seen it, and all figures are of
 * all rows. The newest fold's fit is served; what stands here says how the folds differ.
 */
import type { Evaluation } from './evaluation.ts';
import type { EvaluationInput } from './input.ts';
import { partFigures } from './part-figures.ts';
import type { NamedForecaster } from './scores.ts';
import type { Served } from './served.ts';
import { taskOf } from './task.ts';

type FoldFigures = NonNullable<Evaluation['folds']>[number];

/** Figures of each fold's own test rows; undefined where there is one fold. */
export function foldsOf(
  input: EvaluationInput,
  served: Served,
  others: readonly NamedForecaster[],
): Evaluation['folds'] {
  const { folds } = input;
  if (folds === undefined) return undefined;
  const { gate } = taskOf(input.label);
  const reference = others.find(({ name }) => name === gate)!;
  return folds.map((fold, at) => {
    const rows = rowsOfFold(input, at);
    const found = partFigures(input, rows, served.predictions, reference.predictions);
    return {
      train: fold.train,
      valid: fold.valid,
      test: fold.test,
      trainedThrough: new Date(fold.trainedThrough).toISOString(),
      learntLater: learntLater(input, at),
      weightedLoss: found.weightedLoss,
      referenceLoss: found.referenceLoss,
      skill: found.skill,
      interval: found.interval,
      seedLosses: input.seeds.map((seed) => found.lossOf(seed.predictions)),
    } satisfies FoldFigures;
  });
}

function rowsOfFold({ rows }: EvaluationInput, fold: number): number[] {
  return [...rows.openTime.keys()].filter((row) => rows.fold?.[row] === fold);
}

/** Had its fit seen bars after its test part? */
function learntLater(input: EvaluationInput, at: number): boolean {
  const first = rowsOfFold(input, at)[0];
  return first !== undefined && input.folds![at]!.trainedThrough >= input.rows.openTime[first]!;
}

/**
 * Rows that a claim may rest on: those of folds that had not learnt from bars after their test part, as no live model can.
 * undefined: all of them.
 */
export function rowsWithoutHindsight(input: EvaluationInput): number[] | undefined {
  const { folds, rows } = input;
  if (folds === undefined) return undefined;
  const honest = folds.map((_, at) => !learntLater(input, at));
  if (honest.every(Boolean)) return undefined;
  return [...rows.openTime.keys()].filter((row) => honest[rows.fold?.[row] ?? -1] === true);
}

/** What folds mean for the reader, in sentences. */
export function foldCaveats(input: EvaluationInput): string[] {
  const { folds } = input;
  if (folds === undefined) return [];
  const later = folds.filter((_, at) => learntLater(input, at)).length;
  const newest = rowsOfFold(input, folds.length - 1).length;
  const rows = input.rows.openTime.length;
  return [
    `The served fit on ${rows - newest} of the ${rows} test rows: they were forecast by its twins of older folds.`,
    ...(later > 0
      ? [
          `Hindsight of fits: ${later} of ${folds.length} folds have learnt from bars after their test part, as no live model can: tests and verdict leave their rows out.`,
        ]
      : []),
    ...(input.searched
      ? [
          'Hindsight of the search: it chose on the validation part of the newest fold, after the test parts of older ones.',
        ]
      : []),
  ];
}
