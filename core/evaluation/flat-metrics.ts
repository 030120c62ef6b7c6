import { metrics } from '../metrics/index.ts';
import { NAIVE, TRAINING_MEAN } from './references.ts';
import type { Evaluation } from './evaluation.ts';

const OVERALL: Readonly<Record<string, 'higher' | 'lower'>> = {
  weightedLoss: 'lower',
  skillVsNaive: 'higher',
  skillVsTrainingMean: 'higher',
  seedSd: 'lower',
};
const BY_HORIZON = /^h\d+\.(.+)$/;

/** The served seed's figures under flat names: `h7.rmse`, `h7.skillVsNaive`, `weightedLoss`, ... */
export function flatMetrics(evaluation: Evaluation): Record<string, number | null> {
  const model = evaluation.forecasters.find((f) => f.kind === 'model');
  const skillOf = (name: string) => evaluation.skill.find((s) => s.reference === name);
  const flat: Record<string, number | null> = {
    weightedLoss: model?.weightedLoss.value ?? null,
    skillVsNaive: skillOf(NAIVE)?.overall.value ?? null,
    skillVsTrainingMean: skillOf(TRAINING_MEAN)?.overall.value ?? null,
    seedSd: evaluation.seedSpread.sd,
  };
  for (const { horizon, metrics: scored } of model?.byHorizon ?? []) {
    for (const [name, { value }] of Object.entries(scored)) flat[`h${horizon}.${name}`] = value;
  }
  for (const { horizon, skill } of skillOf(NAIVE)?.byHorizon ?? []) {
    flat[`h${horizon}.skillVsNaive`] = skill.value;
  }
  return flat;
}

/** Is more of a flat metric better? undefined for a name there is not. */
export function flatMetricDirection(name: string): 'higher' | 'lower' | undefined {
  const metric = BY_HORIZON.exec(name)?.[1];
  if (metric === undefined) return Object.hasOwn(OVERALL, name) ? OVERALL[name] : undefined;
  if (metric === 'skillVsNaive') return 'higher';
  return metrics.find((m) => m.name === metric)?.direction;
}
