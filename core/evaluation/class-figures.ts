import { bootstrapInterval, type Interval } from '../metrics/bootstrap.ts';
import { mostProbable, type ClassRows } from '../metrics/classes/class-rows.ts';
import {
  confusionCounts,
  scoreConfusion,
  type ClassificationScores,
} from '../metrics/classes/confusion.ts';
import { calibrationCurve } from '../metrics/classes/probability-metrics.ts';
import { termOf } from '../metrics/metric.ts';
import { barsText } from './bars-text.ts';
import { classRowsOf } from './classification.ts';
import type { Evaluation } from './evaluation.ts';
import type { EvaluationInput } from './input.ts';
import type { Served } from './served.ts';
import type { Draws } from './scores.ts';

export type ClassFigures = NonNullable<Evaluation['classFigures']>[number];

/** What the served seed's answers are worth by horizon; undefined of a quantity. */
export function classFiguresOf(
  input: EvaluationInput,
  served: Pick<Served, 'predictions'>,
  draws: Draws,
): Evaluation['classFigures'] {
  if (input.label.task !== 'classification') return undefined;
  return input.horizons.map((horizon, k) => {
    const rows = classRowsOf(input, served.predictions, k);
    const counts = confusionCounts(rows);
    const calibration = rows.classes.map((name, c) => ({ name, bins: calibrationCurve(rows, c) }));
    if (counts === null) return { horizon, confusion: null, answers: null, calibration };
    const scores = scoreConfusion({ classes: rows.classes, counts });
    const gain = gainOf(rows, scores.majority.name, draws, k);
    return { horizon, confusion: counts, answers: answersOf(scores, gain, counts), calibration };
  });
}

/** Accuracy less that of always answering the class that came most often, resampled together. */
function gainOf(rows: ClassRows, majority: string, draws: Draws, k: number): Interval {
  const most = rows.classes.indexOf(majority);
  const answers = mostProbable(rows);
  const hit = (answer: number, row: number): number => (rows.actual[row] === answer ? 1 : 0);
  const gains = termOf(answers.length, (row) => hit(answers[row]!, row) - hit(most, row));
  return bootstrapInterval([gains], ([gain = NaN]) => gain, draws.groups, draws.byHorizon[k]!);
}

type Answers = NonNullable<ClassFigures['answers']>;

/**
 * `beats`: more accurate than the majority class beyond chance, and better than chance by balanced accuracy.
 * `notProved`: more accurate on these rows, as luck could have it. `no`: not even that.
 */
function answersOf(
  scores: ClassificationScores,
  gain: Interval,
  counts: readonly (readonly number[])[],
): Answers {
  const proved = scores.beatsBaseline && gain.low !== null && gain.low > 0;
  return {
    accuracy: scores.accuracy,
    balancedAccuracy: scores.balancedAccuracy,
    majority: scores.majority,
    gain,
    beatsBaseline: proved ? 'beats' : scores.beatsBaseline ? 'notProved' : 'no',
    never: scores.perClass
      .filter((_, c) => counts.every((row) => row[c] === 0))
      .map(({ name }) => name),
  };
}

/** In a sentence after the verdict's: the answers at the shortest horizon, which has most independent outcomes. */
export function answersClause(figures: readonly ClassFigures[]): string | undefined {
  const shortest = figures.reduce((a, b) => (b.horizon < a.horizon ? b : a));
  if (shortest.answers === null) return undefined;
  const { beatsBaseline, accuracy, majority } = shortest.answers;
  const words = { beats: 'beat', notProved: 'are not proved to beat', no: 'do not beat' } as const;
  return (
    `its answers at ${barsText(shortest.horizon)} ${words[beatsBaseline]} always "${majority.name}" ` +
    `(accuracy ${accuracy.toFixed(3)} against ${majority.accuracy.toFixed(3)})`
  );
}

const WORDS = {
  beats: 'Beats its baseline',
  notProved: 'Is not proved to beat its baseline',
  no: 'Does not beat its baseline',
} as const;

/** One sentence about the answers of a horizon. */
export function baselineVerdict({ answers }: ClassFigures): string {
  if (answers === null) return 'Gives no answers to count: a probability is not a number.';
  const { accuracy, balancedAccuracy, majority, gain, never } = answers;
  const chance = balancedAccuracy.toFixed(3);
  const points = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`;
  const range =
    gain.low === null || gain.high === null
      ? ''
      : ` (gain ${points(gain.low)} to ${points(gain.high)} points)`;
  const silent = never.length > 0 ? ` It never answers ${never.map(quoted).join(' or ')}.` : '';
  return (
    `${WORDS[answers.beatsBaseline]}: accuracy ${accuracy.toFixed(3)} against ${majority.accuracy.toFixed(3)} of ` +
    `always ${quoted(majority.name)}${range}, balanced accuracy ${chance}.${silent}`
  );
}

const quoted = (name: string): string => `"${name}"`;
