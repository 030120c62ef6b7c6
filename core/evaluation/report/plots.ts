import type { Evaluation } from '../evaluation.ts';
import type { EvaluationInput } from '../input.ts';
import { taskOf } from '../task.ts';
import {
  forecastChart,
  lossCurves,
  reliabilityChart,
  residualChart,
  skillChart,
  type MovesOfHorizon,
} from './charts.ts';
import { barsText } from './svg.ts';

/** A chart by the name it is filed under. */
export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** All charts of an evaluation: skill, loss curves, then forecast and residuals per horizon. */
export function plotsOf(evaluation: Evaluation, input: EvaluationInput): Plot[] {
  const served = input.seeds.find((seed) => seed.seed === evaluation.servedSeed)!;
  const plots: Plot[] = [
    {
      name: 'skill',
      title: 'Skill of the served seed, with 95 % intervals (right of zero is better)',
      svg: skillChart(
        evaluation.skill.flatMap(({ reference, overall, byHorizon }) => [
          { label: `against ${reference}, all`, ...overall },
          ...byHorizon.map(({ horizon, skill }) => ({ label: barsText(horizon), ...skill })),
        ]),
      ),
    },
  ];
  const curves = lossCurves(input.seeds);
  if (curves) plots.push({ name: 'loss-curves', title: 'Loss by epoch and seed', svg: curves });
  for (const moves of input.horizons.map((_, k) => movesOf(input, served.predictions, k))) {
    plots.push(
      {
        name: `forecast-${moves.horizon}`,
        title: `Forecast and actual move, ${barsText(moves.horizon)}`,
        svg: forecastChart(moves),
      },
      {
        name: `residuals-${moves.horizon}`,
        title: `Residuals, ${barsText(moves.horizon)}`,
        svg: residualChart(moves),
      },
    );
  }
  if (input.reliability) {
    plots.push({
      name: 'reliability',
      title: 'Stated confidence against the observed hit rate',
      svg: reliabilityChart(input.reliability),
    });
  }
  return plots;
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
