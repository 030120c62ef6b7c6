import { ZodError } from 'zod';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import { explain, type LifecycleView } from '../core/lifecycle/explain.ts';
import {
  decideRetrain,
  type RetrainFacts,
  type RetrainReason,
} from '../core/lifecycle/retrain-rule.ts';
import type { TrialProgress } from '../core/policies/trial.ts';
import { experimentSpecSchema, type ExperimentSpec } from '../core/spec/spec.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import {
  explanationOf,
  frozenReason,
  lifecycleState,
  writeExplanation,
  type ModelState,
} from '../registry/lifecycle-state.ts';
import { getModelOrThrow } from '../registry/models.ts';
import { retrainMinutesOfDay, runningRetrain, type Retrain } from '../registry/retrains.ts';
import { newestBarOf } from '../registry/top-up.ts';
import { runningTrial, type Trial } from '../registry/trials.ts';
import { getVersionOrThrow, type ModelVersion } from '../registry/versions.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock'>;

/** One look at everything that the lifecycle of a model decides on. */
export interface Look {
  readonly model: string;
  readonly asOf: number;
  readonly state: ModelState | undefined;
  readonly champion: ModelVersion | undefined;
  /** What retrains run: set by hand, else the spec of the champion's experiment. */
  readonly template: ExperimentSpec | undefined;
  readonly calendar: Calendar | undefined;
  readonly trial: Trial | undefined;
  readonly retrain: Retrain | undefined;
  readonly facts: RetrainFacts;
}

export async function lookAt(deps: Deps, model: string, asOf: number): Promise<Look> {
  const [row, state, trial, retrain, budgetUsedMinutes] = await Promise.all([
    getModelOrThrow(deps.db, model),
    lifecycleState(deps.db, model),
    runningTrial(deps.db, model),
    runningRetrain(deps.db, model),
    retrainMinutesOfDay(deps.db, model),
  ]);
  const championVersion = state?.champion_version ?? null;
  const champion =
    championVersion === null ? undefined : await getVersionOrThrow(deps.db, model, championVersion);
  const template = await templateOf(deps, row.template, champion);
  const calendar = template && (await calendarOfSpec(deps, template));
  const since = (time: Date | null | undefined, to = asOf): number | null =>
    time && calendar ? sessionsBetween(calendar, time.getTime(), to) : null;
  // A model ages by bars that it could have learnt from: where the data ended, a retrain would change nothing.
  const learnable =
    champion && template
      ? await newestBarOf(deps.db, champion.instruments, template.data.timeframe, asOf)
      : undefined;
  return {
    model,
    asOf,
    state,
    champion,
    template,
    calendar,
    trial,
    retrain,
    facts: {
      championVersion,
      frozen: frozenReason(state),
      age: since(champion?.trained_through, Math.min(asOf, learnable ?? asOf)) ?? 0,
      sinceRetrain: since(state?.last_retrain_as_of),
      retrainRunning: retrain !== undefined,
      trialRunning: trial !== undefined,
      budgetUsedMinutes,
    },
  };
}

async function templateOf(
  deps: Deps,
  own: unknown,
  champion: ModelVersion | undefined,
): Promise<ExperimentSpec | undefined> {
  if (own !== null && own !== undefined) return experimentSpecSchema.parse(own);
  return champion && experimentSpecOrThrow(deps.db, champion.experiment_id);
}

/** Sessions of the calendar (24x7: days) between two instants, 0 or more. */
export function sessionsBetween(calendar: Calendar, from: number, to: number): number {
  return Math.max(0, calendar.indexOf(to, '1d') - calendar.indexOf(from, '1d'));
}

/** Writes what this look means, in words, for `explain`; returns the decision on a retrain. */
export async function explainLook(
  deps: Pick<ActivityDeps, 'db'>,
  look: Look,
  reasons: readonly RetrainReason[],
): Promise<ReturnType<typeof decideRetrain>> {
  const retrain = decideRetrain(look.facts, reasons, retrainRule(look.template));
  const view: LifecycleView = {
    facts: look.facts,
    retrain,
    runningRetrain: look.retrain
      ? { experimentId: look.retrain.experiment_id, reasons: look.retrain.reasons }
      : null,
    trial: look.trial && look.calendar ? trialView(look.trial, look.calendar, look.asOf) : null,
  };
  const { state, sentences } = explain(view);
  await writeExplanation(deps.db, {
    model: look.model,
    asOf: new Date(look.asOf),
    state,
    sentences,
    details: { reasons, retrain, facts: look.facts },
  });
  return retrain;
}

/**
 * Explains a model again after something of it changed, with the reasons for a retrain that waited at the look before.
 * What cannot be explained (a dataset or a template that this release does not know) holds nothing up.
 */
export async function explainAgain(
  deps: Deps & Pick<ActivityDeps, 'log'>,
  model: string,
  asOf: number,
): Promise<void> {
  try {
    const look = await lookAt(deps, model, asOf);
    const before = await explanationOf(deps.db, model);
    const { reasons = [] } = (before?.details ?? {}) as { reasons?: readonly RetrainReason[] };
    await explainLook(deps, look, look.retrain ? [] : reasons);
  } catch (error) {
    const passing = !(
      error instanceof ZodError ||
      (error instanceof RatchetError && error.permanent)
    );
    if (passing) throw error;
    deps.log.warn({ err: error, model }, 'the state of the model cannot be explained now');
  }
}

function trialView(trial: Trial, calendar: Calendar, asOf: number): LifecycleView['trial'] {
  const settings = experimentSpecSchema.shape.promotion.parse(trial.settings);
  return {
    version: trial.version,
    kind: trial.kind,
    mode: trial.mode,
    share: trial.share,
    reasons: trial.reasons,
    progress: trial.progress as TrialProgress | null,
    elapsed: sessionsBetween(calendar, trial.started_as_of.getTime(), asOf),
    maxDays: settings.trial.kind === 'none' ? 0 : settings.trial.maxDays,
  };
}

/** Without a template nothing can be retrained: any rule waits for a champion then. */
export function retrainRule(template: ExperimentSpec | undefined) {
  const retrain = template?.retrain;
  return {
    every: retrain?.every ?? null,
    cooldown: retrain?.cooldown ?? 0,
    maxAge: retrain?.maxAge ?? Number.POSITIVE_INFINITY,
    budgetMinutes: retrain?.budgetMinutes ?? Number.POSITIVE_INFINITY,
  };
}
