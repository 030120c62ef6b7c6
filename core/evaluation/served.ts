import type { EvaluationInput } from './input.ts';
import { medianSeed } from './median-seed.ts';

/** The forecast that will be served, and what is held against others. */
export interface Served {
  /** The median seed; of an ensemble it stands for all of them. */
  readonly seed: number;
  readonly predictions: Float64Array;
  /** One series a seed, whose spread counts; an ensemble is one forecast, and has none. */
  readonly challengers: readonly Float64Array[];
}

type Facts = Pick<EvaluationInput, 'seeds' | 'serve' | 'again'>;

/** The median seed's forecasts, or the mean of all seeds'. Throws `evaluation.no-finite-seed`. */
export function servedOf(input: Facts): Served {
  // What exists was chosen long ago.
  const seed = input.again ? input.seeds[0]!.seed : medianSeed(input.seeds);
  const predictions = servedPredictions(input, seed);
  const each = input.seeds.map((one) => one.predictions);
  return { seed, predictions, challengers: isEnsemble(input) ? [predictions] : each };
}

/** What was said by the served seed, or by the mean of all. */
export function servedPredictions(input: Facts, seed: number): Float64Array {
  if (isEnsemble(input)) return meanForecast(input.seeds.map((one) => one.predictions));
  return input.seeds.find((one) => one.seed === seed)!.predictions;
}

export const isEnsemble = ({ serve }: Pick<EvaluationInput, 'serve'>): boolean =>
  serve === 'seedEnsemble';

/** Mean of forecasts of the same rows; NaN where any is. Probabilities stay ones that add up to 1. */
export function meanForecast(forecasts: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(forecasts[0]?.length ?? 0);
  for (const forecast of forecasts) forecast.forEach((value, i) => (mean[i]! += value));
  return mean.map((sum) => sum / forecasts.length);
}
