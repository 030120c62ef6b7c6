import type { TimeGroups } from '../metrics/bootstrap.ts';
import { meanOf } from '../metrics/metric.ts';
import { figureOf, type Evaluation } from './evaluation.ts';
import type { EvaluationInput, SeedForecast } from './input.ts';
import { lossesByTime, referenceForecast } from './losses.ts';
import { isEnsemble, type Served } from './served.ts';
import { taskOf } from './task.ts';

/** What each seed came to, which of them serves, and how far apart they are. */
export function seedsOf(
  input: EvaluationInput,
  served: Served,
  groups: TimeGroups,
): Pick<Evaluation, 'seeds' | 'servedSeed' | 'serve' | 'seedSpread'> {
  const task = taskOf(input.label);
  const reference = task.references(input).find(({ name }) => name === task.gate)!;
  const naive = referenceForecast(input, reference);
  const naiveLoss = meanOf(lossesByTime(input, naive, groups));
  const losses = input.seeds.map((s) => meanOf(lossesByTime(input, s.predictions, groups)));
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  const variance = losses.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (losses.length - 1);
  return {
    servedSeed: served.seed,
    ...(isEnsemble(input) && { serve: 'seedEnsemble' as const }),
    seedSpread: {
      mean: figureOf(mean),
      sd: losses.length < 2 ? null : figureOf(Math.sqrt(variance)),
    },
    seeds: input.seeds.map((seed, i) => ({
      seed: seed.seed,
      served: isEnsemble(input) || seed.seed === served.seed,
      bestValidLoss: figureOf(seed.bestValidLoss),
      bestEpoch: seed.bestEpoch,
      epochsRun: seed.epochsRun,
      weightsDigest: seed.weightsDigest,
      weightedLoss: figureOf(losses[i]!),
      skillVsNaive: figureOf(1 - losses[i]! / naiveLoss),
      ...seedFigures(input, seed),
    })),
  };
}

/** By horizon: root mean square errors of a quantity, mean log losses of classes. */
function seedFigures(
  input: EvaluationInput,
  { predictions }: SeedForecast,
): Pick<Evaluation['seeds'][number], 'rmse' | 'logLoss'> {
  const task = taskOf(input.label);
  const losses = input.horizons.map((_, k) => meanOf(task.lossesOfHorizon(input, predictions, k)));
  return input.label.task === 'classification'
    ? { rmse: [], logLoss: losses.map(figureOf) }
    : { rmse: losses.map((loss) => figureOf(Math.sqrt(loss))) };
}
