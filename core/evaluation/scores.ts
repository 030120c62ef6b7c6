import {
  blockLength,
  bootstrapInterval,
  drawBlocks,
  intervalOf,
  resampledMeans,
  type BlockDraws,
  type Interval,
  type TimeGroups,
} from '../metrics/bootstrap.ts';
import { skillScore } from '../metrics/skill.ts';
import type { Forecaster } from './evaluation.ts';
import type { EvaluationInput, NamedForecast } from './input.ts';
import { taskOf } from './task.ts';

/** Any fixed number: it makes the report the same on every machine and at every repetition. */
const BOOTSTRAP_SEED = 20_260_101;

/** Draws per horizon and for the weighted loss (longest horizon), shared by everything compared. */
export interface Draws {
  readonly groups: TimeGroups;
  readonly byHorizon: readonly BlockDraws[];
  readonly overall: BlockDraws;
}

export function drawAll(input: EvaluationInput, groups: TimeGroups): Draws {
  const draw = (horizon: number, seed: number): BlockDraws =>
    drawBlocks({
      n: groups.count,
      block: blockLength(groups.count, horizon, input.barsPerDay),
      seed,
    });
  return {
    groups,
    byHorizon: input.horizons.map((horizon, k) => draw(horizon, BOOTSTRAP_SEED + 1 + k)),
    overall: draw(Math.max(...input.horizons), BOOTSTRAP_SEED),
  };
}

export interface NamedForecaster extends NamedForecast {
  readonly kind: Forecaster['kind'];
}

/** Every metric of the catalogue per horizon, and the weighted loss, each with its interval; pauses at each horizon. */
export function* scoreForecaster(
  input: EvaluationInput,
  { name, kind, predictions }: NamedForecaster,
  draws: Draws,
): Generator<void, Forecaster> {
  const task = taskOf(input.label);
  const byHorizon: Forecaster['byHorizon'] = [];
  for (const [k, horizon] of input.horizons.entries()) {
    const drawn = { groups: draws.groups, draws: draws.byHorizon[k]! };
    byHorizon.push({ horizon, metrics: task.scores(input, predictions, k, drawn) });
    yield;
  }
  return {
    name,
    kind,
    weightedLoss: bootstrapInterval(
      [task.losses(input, predictions)],
      ([loss = NaN]) => loss,
      draws.groups,
      draws.overall,
    ),
    byHorizon,
  };
}

/** 1 - loss / reference loss with its interval, model and reference resampled by the same draws. */
export function skillInterval(
  loss: Float64Array,
  referenceLoss: Float64Array,
  groups: TimeGroups,
  draws: BlockDraws,
): Interval {
  const [mine, other] = resampledMeans([loss, referenceLoss], groups, draws);
  const skills = mine!.map((value, i) => skillScore(value, other![i]!));
  return intervalOf(skills[0]!, skills.subarray(1), draws.tooFewBlocks);
}
