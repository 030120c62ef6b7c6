import { classMetricDirection } from '../metrics/classes/index.ts';
import { metrics } from '../metrics/index.ts';
import { MAJORITY, NAIVE, TRAINING_MEAN } from './references.ts';
import type { Evaluation } from './evaluation.ts';

const OVERALL: Readonly<Record<string, 'higher' | 'lower'>> = {
  weightedLoss: 'lower',
  skillVsNaive: 'higher',
  skillVsTrainingMean: 'higher',
  skillVsMajority: 'higher',
  seedSd: 'lower',
};
/** By horizon too, and no entry of a catalogue. */
const BESIDE_METRICS = new Set(['skillVsNaive', 'skillVsMajority', 'majorityAccuracy']);
const BY_HORIZON = /^h\d+\.(.+)$/;

/** The served seed's figures under flat names: `h7.rmse`, `h7.skillVsNaive`, `weightedLoss`, ... */
export function flatMetrics(evaluation: Evaluation): Record<string, number | null> {
  const model = evaluation.forecasters.find((f) => f.kind === 'model');
  const skillOf = (name: string) => evaluation.skill.find((s) => s.reference === name);
  const flat: Record<string, number | null> = {
    weightedLoss: model?.weightedLoss.value ?? null,
    ...overallSkills(evaluation.skill),
    seedSd: evaluation.seedSpread.sd,
  };
  for (const { horizon, metrics: scored } of model?.byHorizon ?? []) {
    for (const [name, { value }] of Object.entries(scored)) flat[`h${horizon}.${name}`] = value;
  }
  for (const { horizon, answers } of evaluation.classFigures ?? []) {
    flat[`h${horizon}.majorityAccuracy`] = answers?.majority.accuracy ?? null;
  }
  for (const { horizon, skill } of skillOf(NAIVE)?.byHorizon ?? []) {
    flat[`h${horizon}.skillVsNaive`] = skill.value;
  }
  for (const { horizon, skill } of skillOf(MAJORITY)?.byHorizon ?? []) {
    flat[`h${horizon}.skillVsMajority`] = skill.value;
  }
  return flat;
}

/** Against the references that the label's task has. */
function overallSkills(skill: Evaluation['skill']): Record<string, number | null> {
  const names = {
    [NAIVE]: 'skillVsNaive',
    [TRAINING_MEAN]: 'skillVsTrainingMean',
    [MAJORITY]: 'skillVsMajority',
  };
  return Object.fromEntries(
    Object.entries(names).flatMap(([reference, name]) =>
      skill.filter((s) => s.reference === reference).map((s) => [name, s.overall.value]),
    ),
  );
}

/** Is more of a flat metric better? undefined for a name there is not. */
export function flatMetricDirection(name: string): 'higher' | 'lower' | undefined {
  const metric = BY_HORIZON.exec(name)?.[1];
  if (metric === undefined) return Object.hasOwn(OVERALL, name) ? OVERALL[name] : undefined;
  if (BESIDE_METRICS.has(metric)) return 'higher';
  return metrics.find((m) => m.name === metric)?.direction ?? classMetricDirection(metric);
}
