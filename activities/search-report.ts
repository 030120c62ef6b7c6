import type { Evaluation } from '../core/evaluation/index.ts';
import type { Plot } from '../core/evaluation/report/plots.ts';
import { deflatedLoss } from '../core/search/best.ts';
import { importanceChart, parallelCoordinates } from '../core/search/charts.ts';
import { importancesOf } from '../core/search/importance.ts';
import {
  findSearch,
  outcomeOf,
  trialsOf,
  type SearchKey,
  type SearchTrial,
} from '../registry/searches.ts';
import type { ActivityDeps } from './deps.ts';

export interface SearchReport {
  readonly facts: NonNullable<Evaluation['search']>;
  readonly plots: readonly Plot[];
}

/** What a report says of the search that chose the hyperparameters; undefined where none did. */
export async function searchReportOf(
  { db }: Pick<ActivityDeps, 'db'>,
  key: SearchKey,
): Promise<SearchReport | undefined> {
  const search = await findSearch(db, key);
  if (!search || search.best_trial === null) return undefined;
  const trials = await trialsOf(db, key);
  const best = trials.find(({ trial }) => trial === search.best_trial);
  if (!best || best.valid_loss === null) return undefined;
  const completed = trials.flatMap(({ state, valid_loss: loss }) =>
    state === 'completed' && loss !== null ? [loss] : [],
  );
  const count = (state: SearchTrial['state']): number =>
    trials.filter((trial) => trial.state === state).length;
  const importances = importancesOf(search.space, trials.map(outcomeOf));
  return {
    facts: {
      search: search.method,
      pruner: search.pruner,
      trials: trials.length,
      pruned: count('pruned'),
      failed: count('failed'),
      stoppedBy: search.stopped_by ?? 'trials',
      bestTrial: best.trial,
      chosen: search.space.map(({ path }) => ({ path, value: best.point[path] })),
      validLoss: best.valid_loss,
      deflatedValidLoss: deflatedLoss(completed, trials.length),
      importances: importances.map(({ path, share }) => ({ path, share })),
    },
    plots: plotsOf(search.space, trials, importances),
  };
}

function plotsOf(
  space: Parameters<typeof parallelCoordinates>[0],
  trials: readonly SearchTrial[],
  importances: Parameters<typeof importanceChart>[0],
): Plot[] {
  const best = trials.reduce<SearchTrial | undefined>(
    (found, trial) =>
      trial.state === 'completed' &&
      (trial.valid_loss ?? Infinity) < (found?.valid_loss ?? Infinity)
        ? trial
        : found,
    undefined,
  );
  const lines = trials.map((trial) => ({
    ...{ point: trial.point, state: trial.state, loss: trial.valid_loss },
    best: trial === best,
  }));
  const bars = importanceChart(importances);
  return [
    {
      name: 'search-parallel',
      title: 'Trials of the search, the best one thick; dashed: not trained to the end',
      svg: parallelCoordinates(space, lines),
    },
    ...(bars
      ? [
          {
            name: 'search-importance',
            title: 'Share of the ranking of trials that each hyperparameter alone explains',
            svg: bars,
          },
        ]
      : []),
  ];
}
