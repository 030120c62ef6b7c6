import type { Evaluation } from '../evaluation.ts';
import type { EvaluationInput } from '../input.ts';
import { referenceName } from '../references.ts';
import { servedPredictions } from '../served.ts';
import { taskOf } from '../task.ts';
import {
  forecastChart,
  lossCurves,
  reliabilityChart,
  residualChart,
  skillChart,
  type MovesOfHorizon,
} from './charts.ts';
import { calibrationChart, confusionChart, importanceChart } from './class-charts.ts';
import { sliceName } from './slice-section.ts';
import { barsText } from './svg.ts';

/** A chart by the name it is filed under. */
export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** All charts of an evaluation: skill, loss curves, then forecast and residuals per horizon. */
export function plotsOf(evaluation: Evaluation, input: EvaluationInput): Plot[] {
  const served = servedPredictions(input, evaluation.servedSeed);
  const quantity = input.label.task === 'regression';
  const plots: Plot[] = [
    {
      name: 'skill',
      title: 'Skill of the served seed, with 95 % intervals (right of zero is better)',
      svg: skillChart(
        evaluation.skill.flatMap(({ reference, overall, byHorizon }) => [
          {
            label: `against ${referenceName(reference, { ofClasses: !quantity })}, all`,
            ...overall,
          },
          ...byHorizon.map(({ horizon, skill }) => ({ label: barsText(horizon), ...skill })),
        ]),
      ),
    },
  ];
  const curves = lossCurves(input.seeds);
  if (curves) plots.push({ name: 'loss-curves', title: 'Loss by epoch and seed', svg: curves });
  for (const moves of input.horizons.map((_, k) => movesOf(input, served, k))) {
    plots.push({
      name: `forecast-${moves.horizon}`,
      title: `${quantity ? 'Forecast' : 'Expected'} and actual move, ${barsText(moves.horizon)}`,
      svg: forecastChart(moves),
    });
    if (!quantity) continue;
    plots.push({
      name: `residuals-${moves.horizon}`,
      title: `Residuals, ${barsText(moves.horizon)}`,
      svg: residualChart(moves),
    });
  }
  plots.push(...classPlots(evaluation), ...slicePlots(evaluation), ...importancePlots(evaluation));
  if (input.reliability) {
    plots.push({
      name: 'reliability',
      title: 'Stated confidence against the observed hit rate',
      svg: reliabilityChart(input.reliability),
    });
  }
  return plots;
}

function classPlots({ classFigures = [], data }: Evaluation): Plot[] {
  const names = data.classes?.map(({ name }) => name) ?? [];
  return classFigures.flatMap((of) => {
    const confusion = confusionChart(names, of);
    const calibration = calibrationChart(of);
    const ahead = barsText(of.horizon);
    return [
      ...(confusion
        ? [{ name: `confusion-${of.horizon}`, title: `Confusion, ${ahead}`, svg: confusion }]
        : []),
      ...(calibration
        ? [{ name: `calibration-${of.horizon}`, title: `Calibration, ${ahead}`, svg: calibration }]
        : []),
    ];
  });
}

/** Skill by slice, of those that have enough rows. */
function slicePlots({ slices, data }: Evaluation): Plot[] {
  const rows = (slices?.slices ?? []).flatMap((slice) =>
    slice.skill ? [{ label: sliceName(slice), ...slice.skill }] : [],
  );
  if (slices === undefined || rows.length === 0) return [];
  const against = referenceName(slices.reference, { ofClasses: data.classes !== undefined });
  const title = `Skill against ${against} by slice, with 95 % intervals`;
  return [{ name: 'slices', title, svg: skillChart(rows) }];
}

function importancePlots({ importance = [] }: Evaluation): Plot[] {
  return importance.map(({ horizon, features }) => ({
    name: `importance-${horizon}`,
    title: `Features by share of the gain, ${barsText(horizon)}`,
    svg: importanceChart(horizon, features),
  }));
}

/** Moves of one horizon in order of time; of several instruments, the first row of each time. */
function movesOf(input: EvaluationInput, predictions: Float64Array, k: number): MovesOfHorizon {
  const rows = taskOf(input.label).rowsOfHorizon(input, predictions, k);
  const seen = new Set<number>();
  const order = [...input.rows.openTime.keys()]
    .sort((a, b) => input.rows.openTime[a]! - input.rows.openTime[b]!)
    .filter((row) => {
      const time = input.rows.openTime[row]!;
      return !seen.has(time) && seen.add(time);
    });
  const pick = (values: Float64Array): Float64Array =>
    Float64Array.from(order, (row) => values[row]!);
  return {
    horizon: input.horizons[k]!,
    time: pick(input.rows.openTime),
    actual: pick(rows.actualChange),
    predicted: pick(rows.predictedChange),
  };
}
