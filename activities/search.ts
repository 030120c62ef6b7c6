import { Context } from '@temporalio/activity';
import { RatchetError } from '../core/errors.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import { bestOf } from '../core/search/best.ts';
import { prunerOrThrow, searchMethodOrThrow } from '../core/search/index.ts';
import { withPoint } from '../core/search/point.ts';
import { tunedSpaceOf, type ExperimentSpec } from '../core/spec/index.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import {
  abandonSearch,
  beginTrial,
  completeSearch,
  endedOf,
  endRung,
  failTrial,
  openSearch,
  outcomeOf,
  searchOrThrow,
  stopSearch,
  trialsOf,
  type Search,
  type SearchKey,
  type SearchTrial,
} from '../registry/searches.ts';
import type { FitInput, Hyperparameters, SearchPlan } from './contracts.ts';
import type {
  AbandonSearchInput,
  CompleteSearchResult,
  FailTrialInput,
  FitTrialInput,
  FitTrialResult,
  SearchInput,
  SuggestTrialInput,
  SuggestTrialResult,
} from './contracts-search.ts';
import type { ActivityDeps } from './deps.ts';
import { fitOnce } from './fit.ts';
import { validationLossOf } from './validation-loss.ts';

const MINUTE_MS = 60_000;

/** The steps of a search. Each may run twice: rows decide, and what a trial tries is a pure function of earlier rows. */
export function createSearchActivities(deps: ActivityDeps) {
  return {
    /** Begins the search that the spec asks for. */
    async openSearch({ experimentId, model }: SearchInput): Promise<void> {
      const spec = await experimentSpecOrThrow(deps.db, experimentId);
      const tune = tuneOrThrow(spec);
      const search = await openSearch(deps.db, {
        experimentId,
        model,
        family: spec.family,
        method: tune.search,
        pruner: tune.pruner,
        seed: tune.seed,
        fitSeed: Math.min(...spec.seeds),
        trials: tune.trials,
        parallel: tune.parallel,
        budgetMinutes: tune.budgetMinutes,
        space: tunedSpaceOf(spec),
        rungs: rungsOf(spec),
        startedAt: new Date(deps.clock()),
      });
      await tell(deps, search, 'begin', { space: search.space, rungs: search.rungs });
    },

    /** Chooses what a trial tries, or says that there is nothing more to try. */
    suggestTrial: (input: SuggestTrialInput) => suggestTrial(deps, input),

    /** One rung of a trial: a fit on the training part, judged by its validation loss. */
    fitTrial: (input: FitTrialInput) => fitTrial(deps, input),

    /** A trial that cannot be fitted counts as the worst there is. */
    async failTrial({ experimentId, model, trial, reason }: FailTrialInput): Promise<void> {
      await failTrial(deps.db, { experimentId, model, trial }, reason);
      await tellTrial(deps, { experimentId, model }, trial);
    },

    /** Ends the search by its best trial; throws `search.no-trial` where there is none. */
    completeSearch: (input: SearchInput) => endSearch(deps, input),

    /** Ends a search that failed or was cancelled. */
    async abandonSearch({ experimentId, model, ...end }: AbandonSearchInput): Promise<void> {
      await abandonSearch(deps.db, { experimentId, model }, end);
    },
  };
}

/** What the workflow must know; undefined where the spec asks for no search. */
export function searchPlanOf(spec: ExperimentSpec): SearchPlan | undefined {
  if (spec.tune === undefined) return undefined;
  const { trials, parallel } = spec.tune;
  return { trials, parallel, rungs: Math.max(1, rungsOf(spec).length) };
}

/** Training budgets of the rungs; empty where no budget is cut. */
function rungsOf(spec: ExperimentSpec): readonly number[] {
  const { budget } = modelFamilyOrThrow(spec.family).traits;
  const pruner = prunerOrThrow(tuneOrThrow(spec).pruner);
  const full = budget === undefined ? undefined : spec.hyperparameters[budget];
  return pruner.needsBudget && typeof full === 'number' ? pruner.rungs(full) : [];
}

function tuneOrThrow({ tune }: ExperimentSpec): NonNullable<ExperimentSpec['tune']> {
  if (tune !== undefined) return tune;
  throw new RatchetError('search.not-asked', 'the spec asks for no search of hyperparameters');
}

async function suggestTrial(
  deps: ActivityDeps,
  { experimentId, model, trial: index }: SuggestTrialInput,
): Promise<SuggestTrialResult> {
  const key = { experimentId, model };
  const search = await searchOrThrow(deps.db, key);
  const before = await trialsOf(deps.db, key);
  if (before.some(({ trial }) => trial === index)) return { stop: false };
  const { budget_minutes: minutes, started_at: startedAt } = search;
  if (minutes !== null && deps.clock() - startedAt.getTime() >= minutes * MINUTE_MS) {
    await stopSearch(deps.db, key, 'minutes');
    return { stop: true };
  }
  const earlier = before.filter(({ trial }) => trial < index);
  const point = searchMethodOrThrow(search.method).suggest({
    space: search.space,
    seed: Number(search.seed),
    index,
    trials: search.trials,
    earlier: earlier.map((trial) => trial.point),
    known: knownTo(index, search, earlier).map(outcomeOf),
  });
  if (point === undefined) {
    await stopSearch(deps.db, key, 'exhausted');
    return { stop: true };
  }
  await beginTrial(deps.db, { ...key, trial: index }, point);
  return { stop: false };
}

/** Trials whose results trial `index` may use, however many of the later ones have ended as well. */
function knownTo(
  index: number,
  { parallel }: Search,
  trials: readonly SearchTrial[],
): readonly SearchTrial[] {
  const known = trials.filter(({ trial }) => trial <= index - parallel);
  const running = known.find(({ state }) => state === 'running');
  if (running === undefined) return known;
  throw new RatchetError(
    'search.too-early',
    `trial ${index} was asked for before trial ${running.trial} had ended`,
  );
}

async function fitTrial(deps: ActivityDeps, input: FitTrialInput): Promise<FitTrialResult> {
  const { experimentId, unit, prepared, model, trial: index, rung } = input;
  const key = { experimentId, model };
  const spec = await experimentSpecOrThrow(deps.db, experimentId);
  const search = await searchOrThrow(deps.db, key);
  const trials = await trialsOf(deps.db, key);
  const trial = trials.find((row) => row.trial === index);
  if (!trial) throw new RatchetError('search.unknown-trial', `there is no trial ${index}`);
  const fitAt = (at: number): FitInput => ({
    ...{ experimentId, unit, prepared },
    family: spec.family,
    seed: Number(search.fit_seed),
    hyperparameters: paramsAt(spec, search, trial, at),
  });
  const lower = Array.from({ length: rung }, (_, below) => fitAt(rung - 1 - below));
  const fit = await fitOnce(deps, fitAt(rung), spec, { after: lower });
  const heartbeat = (): void => Context.current().heartbeat();
  const loss = await validationLossOf({ ...deps, heartbeat }, { spec, prepared, fit });
  const earlier = knownTo(index, search, trials).flatMap(({ losses }) => losses[rung] ?? []);
  const isLast = rung >= search.rungs.length - 1;
  const goesOn = !isLast && prunerOrThrow(search.pruner).keeps(loss, earlier);
  await endRung(
    deps.db,
    { ...key, trial: index },
    {
      ...{ rung, loss, epochsRun: fit.epochsRun, bestEpoch: fit.bestEpoch },
      state: goesOn ? 'running' : isLast ? 'completed' : 'pruned',
    },
  );
  await tellTrial(deps, key, index);
  return { goesOn };
}

/** Hyperparameters of a trial, with the budget of a rung; without rungs the family's own. */
function paramsAt(
  spec: ExperimentSpec,
  { rungs }: Search,
  { point }: SearchTrial,
  rung: number,
): Hyperparameters {
  const { params, traits } = modelFamilyOrThrow(spec.family);
  const asked = withPoint(spec.hyperparameters, point);
  const cut = traits.budget !== undefined && rungs.length > 0;
  return params.parse(cut ? { ...asked, [traits.budget]: rungs[rung] } : asked) as Hyperparameters;
}

async function endSearch(
  deps: ActivityDeps,
  { experimentId, model }: SearchInput,
): Promise<CompleteSearchResult> {
  const spec = await experimentSpecOrThrow(deps.db, experimentId);
  const key = { experimentId, model };
  await stopSearch(deps.db, key, 'trials');
  const { search, trials, best } = await completeSearch(deps.db, key);
  await tell(deps, search, 'end', {
    trials: trials.length,
    pruned: trials.filter(({ state }) => state === 'pruned').length,
    failed: trials.filter(({ state }) => state === 'failed').length,
    stoppedBy: search.stopped_by,
    best: { trial: best.trial, validLoss: best.valid_loss, point: best.point },
  });
  return {
    hyperparameters: paramsAt(spec, search, best, search.rungs.length - 1),
    bestTrial: best.trial,
    trials: trials.length,
  };
}

/** How a trial stands after a rung or a failure, and the best so far: what progress is read from. */
async function tellTrial(deps: ActivityDeps, key: SearchKey, index: number): Promise<void> {
  const search = await searchOrThrow(deps.db, key);
  const trials = await trialsOf(deps.db, key);
  const trial = trials.find((row) => row.trial === index)!;
  const best = bestOf(trials.map(endedOf));
  await tell(deps, search, `trial/${index}/${trial.state}/${trial.losses.length}`, {
    trial: index,
    point: trial.point,
    state: trial.state,
    rung: trial.losses.length,
    validLoss: trial.valid_loss,
    ended: trials.filter(({ state }) => state !== 'running').length,
    best: best === undefined ? null : { trial: best.trial, validLoss: best.loss },
    ...(trial.error === null ? {} : { error: trial.error }),
  });
}

function tell(
  { events }: Pick<ActivityDeps, 'events'>,
  search: Search,
  what: string,
  payload: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { experiment_id: experimentId, model, method, pruner, rungs } = search;
  return events.append({
    experimentId,
    kind: 'note',
    stage: 'search',
    model,
    payload: {
      ...{ search: method, pruner, of: search.trials, rungs: Math.max(1, rungs.length) },
      ...payload,
    },
    dedupeKey: `search/${model}/${what}`,
  });
}
