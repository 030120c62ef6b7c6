import { groupByTime } from '../metrics/bootstrap.ts';
import { assertSameLength } from '../metrics/metric.ts';
import { powerOf } from '../metrics/power.ts';
import { levelOfTry } from '../metrics/tries.ts';
import { RatchetError } from '../errors.ts';
import { labelOutputs } from '../labels/index.ts';
import { againOf } from './again.ts';
import { classFiguresOf } from './class-figures.ts';
import { notTestedOf, warningsOf } from './caveats.ts';
import { compareWith, compareWithChampion } from './compare.ts';
import { dataOf, rowsDigest } from './data-of.ts';
import type { Evaluation, Forecaster } from './evaluation.ts';
import { foldsOf } from './folds.ts';
import { importanceOf } from './importance.ts';
import type { EvaluationInput } from './input.ts';
import { referenceForecast } from './losses.ts';
import { TRAINING_MEAN } from './references.ts';
import {
  drawAll,
  scoreForecaster,
  skillInterval,
  type Draws,
  type NamedForecaster,
} from './scores.ts';
import { servedOf, type Served } from './served.ts';
import { seedsOf } from './seeds-of.ts';
import { slicesOf } from './slices-of.ts';
import { taskOf } from './task.ts';
import { provedBetter, verdictOf } from './verdict.ts';

/**
 * Judges trained seeds on the test rows: against references, baselines and the champion, per horizon and on the
 * weighted loss, with intervals, and in one sentence. Pure; the same input gives the same evaluation.
 * Throws `evaluation.empty` without rows or seeds. NaN forecasts make figures null and never pass a gate.
 */
export function evaluate(input: EvaluationInput): Evaluation {
  const steps = evaluationSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, with a pause after each part: a large panel takes a minute, in which a process has other work to do. */
export async function evaluateWithPauses(
  input: EvaluationInput,
  pause: () => Promise<void>,
): Promise<Evaluation> {
  const steps = evaluationSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await pause();
  }
}

function* evaluationSteps(input: EvaluationInput): Generator<void, Evaluation> {
  assertInput(input);
  const groups = groupByTime(input.rows.openTime);
  const draws = drawAll(input, groups);
  const served = servedOf(input);
  const others = othersOf(input);
  const model = { name: 'model', kind: 'model' as const, predictions: served.predictions };
  const forecasters: Forecaster[] = [];
  for (const forecaster of [model, ...others]) {
    forecasters.push(yield* scoreForecaster(input, forecaster, draws));
  }
  const comparisons = others.map((other) => compareWith(input, served, other, draws));
  const championComparison = compareWithChampion(input, served);
  if (championComparison) comparisons.push(championComparison);
  const k = input.triesBefore + 1;
  const level = levelOfTry(input.alpha, k);
  const { gate } = taskOf(input.label);
  const beats = (name: string): boolean =>
    comparisons.some((c) => c.against === name && provedBetter(c, input.alpha));
  const longest = Math.max(...input.horizons);
  const classFigures = classFiguresOf(input, served, draws);
  const facts = {
    comparisons,
    beatsNaive: beats(gate),
    // Of classes the training part's shares are both.
    beatsTrainingMean: beats(others.some((o) => o.name === TRAINING_MEAN) ? TRAINING_MEAN : gate),
    tries: { k, alpha: input.alpha, level },
    power: powerOf(groups.count, longest),
    skill: skillsOf(input, served, others, draws),
    ...(classFigures && { classFigures }),
  };
  yield;
  const slices = slicesOf(input, served);
  const { importance: gains } = input.seeds.find(({ seed }) => seed === served.seed)!;
  const importance = importanceOf(input.horizons, input.featureNames, gains);
  return {
    format: 1,
    model: input.model,
    family: input.family,
    ...(input.members && { members: [...input.members] }),
    codeVersion: input.codeVersion,
    data: dataOf(input),
    split: { ...input.split, trainedThrough: isoOf(input.trainedThrough) },
    ...circumstancesOf(input, served, others),
    rows: {
      rows: input.rows.openTime.length,
      timeStamps: groups.count,
      longestHorizon: longest,
      independent: groups.count / longest,
      digest: rowsDigest(input),
    },
    lossWeights: [...input.lossWeights],
    forecasters,
    ...seedsOf(input, served, groups),
    bestBaseline: bestOf(forecasters),
    champion: input.champion && {
      version: input.champion.version,
      trainedThrough: isoOf(input.champion.trainedThrough),
      commonRows: championComparison?.rows ?? 0,
    },
    ...facts,
    ...(slices && { slices }),
    ...(importance && { importance }),
    verdict: verdictOf({
      ...facts,
      ...{ label: input.label, champion: input.champion, again: input.again !== undefined },
    }),
    notTested: notTestedOf(input, groups.count),
    warnings: warningsOf(input, { ...facts, forecasters }, draws),
  };
}

/** What only some evaluations have to tell of how they came about. */
function circumstancesOf(
  input: EvaluationInput,
  served: Served,
  others: readonly NamedForecaster[],
): Pick<Evaluation, 'folds' | 'refit' | 'again' | 'search'> {
  return {
    ...(input.folds && { folds: foldsOf(input, served, others) }),
    ...(input.refit && { refit: input.refit }),
    ...(input.again && { again: againOf(input, served, others) }),
    ...(input.search && { search: input.search }),
  };
}

function assertInput(input: EvaluationInput): void {
  const { rows, horizons, seeds } = input;
  if (rows.openTime.length === 0 || seeds.length === 0 || horizons.length === 0) {
    throw new RatchetError(
      'evaluation.empty',
      'an evaluation needs test rows, a horizon and a seed',
    );
  }
  assertSameLength('labels', { length: rows.openTime.length * horizons.length }, rows.labels);
  assertSameLength(
    'forecasts',
    { length: rows.openTime.length * horizons.length * labelOutputs(input.label) },
    ...seeds.map((seed) => seed.predictions),
    ...input.baselines.map((baseline) => baseline.predictions),
    ...(input.champion ? [input.champion.predictions] : []),
  );
  assertSameLength(
    'figures per horizon',
    horizons,
    input.lossWeights,
    input.trainLabelMean,
    input.trainLabelVariance,
  );
}

/** References first, then baselines; a baseline that says what a reference says is not shown twice. */
function othersOf(input: EvaluationInput): NamedForecaster[] {
  const references = taskOf(input.label)
    .references(input)
    .map((reference): NamedForecaster => {
      const predictions = referenceForecast(input, reference);
      return { name: reference.name, kind: 'reference', predictions };
    });
  // Of a pooled unit a baseline's constant is that of all instruments, the reference's of each: the harder one counts.
  const baselines = input.baselines
    .filter(
      ({ name, predictions }) =>
        !references.some((r) => r.name === name || sameForecast(r.predictions, predictions)),
    )
    .map((baseline): NamedForecaster => ({ ...baseline, kind: 'baseline' }));
  return [...references, ...baselines];
}

/** Equal but for the rounding of a graph in float32. */
function sameForecast(a: Float64Array, b: Float64Array): boolean {
  return a.every((value, i) => Math.abs(value - b[i]!) <= 1e-7 * Math.max(1e-3, Math.abs(value)));
}

function skillsOf(
  input: EvaluationInput,
  served: Served,
  others: readonly NamedForecaster[],
  draws: Draws,
): Evaluation['skill'] {
  const task = taskOf(input.label);
  return others.map((other) => ({
    reference: other.name,
    overall: skillInterval(
      task.losses(input, served.predictions),
      task.losses(input, other.predictions),
      draws.groups,
      draws.overall,
    ),
    byHorizon: input.horizons.map((horizon, k) => ({
      horizon,
      skill: skillInterval(
        task.lossesOfHorizon(input, served.predictions, k),
        task.lossesOfHorizon(input, other.predictions, k),
        draws.groups,
        draws.byHorizon[k]!,
      ),
    })),
  }));
}

/** The reference or baseline with the lowest weighted loss. */
function bestOf(forecasters: Evaluation['forecasters']): string {
  const rivals = forecasters.filter((f) => f.kind !== 'model');
  const loss = (f: Evaluation['forecasters'][number]): number => f.weightedLoss.value ?? Infinity;
  return rivals.reduce((best, f) => (loss(f) < loss(best) ? f : best)).name;
}

const isoOf = (time: number): string => new Date(time).toISOString();
