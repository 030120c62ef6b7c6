import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { ulid } from 'ulid';
import { RatchetError } from '../core/errors.ts';
import { parseEvaluation } from '../core/evaluation/index.ts';
import { reasonWords } from '../core/lifecycle/explain.ts';
import {
  decideRetrain,
  type RetrainDecision,
  type RetrainReason,
} from '../core/lifecycle/retrain-rule.ts';
import { retrainSpec, specHash, takesOverSizes, type SplitSizes } from '../core/spec/index.ts';
import { refOf, sha256OfUri } from '../registry/artifacts.ts';
import { getExperimentOrThrow, isTerminal } from '../registry/experiments.ts';
import { setFrozen, settledAsOf } from '../registry/lifecycle-state.ts';
import { getDriftReport, markConsidered } from '../registry/drift.ts';
import { appendLifecycleEvent } from '../registry/lifecycle-events.ts';
import { finishRetrain, startRetrain, type Retrain } from '../registry/retrains.ts';
import { recordJudgement, runningTrial } from '../registry/trials.ts';
import type { JudgementRequest, ModelRef } from '../workflows/lifecycle-messages.ts';
import { SIGNALS } from '../workflows/lifecycle-messages.ts';
import { workflowIds } from '../workflows/messages.ts';
import type {
  AtSlot,
  ConsiderRetrainInput,
  ConsiderRetrainResult,
  EndedExperiment,
  FinishRetrainInput,
  FreezeInput,
} from './contracts-lifecycle.ts';
import type { ExperimentRef } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { signalLifecycle, signalTrial } from './lifecycle-signal.ts';
import { explainAgain, explainLook, lookAt, retrainRule, type Look } from './lifecycle-view.ts';

const POLL_MS = 1_000;

/** What the lifecycle of a model does to rows. Each may run twice: ids and rows decide, not the call. */
export function createLifecycleActivities(deps: ActivityDeps) {
  return {
    /** A look at market time `asOf`: starts a retrain when the rule says so, and explains itself either way. */
    considerRetrain: (input: ConsiderRetrainInput): Promise<ConsiderRetrainResult> =>
      considerRetrain(deps, input),

    async finishRetrain({ retrainId, status, outcome }: FinishRetrainInput): Promise<void> {
      const words =
        status === 'completed'
          ? `The retrain ended: ${outcome}`
          : `The retrain ${status}: ${outcome}`;
      await finishRetrain(deps.db, { id: retrainId, status, outcome, words });
    },

    async setFrozen(change: FreezeInput): Promise<{ readonly changed: boolean }> {
      const changed = await setFrozen(deps.db, change);
      const asOf = (await settledAsOf(deps.db, change.model))?.getTime() ?? deps.clock();
      await explainAgain(deps, change.model, asOf);
      return { changed };
    },

    /** Resolves when the experiment's row has ended, with how. */
    async awaitExperiment({ experimentId }: ExperimentRef): Promise<EndedExperiment> {
      for (;;) {
        const { status, message } = await getExperimentOrThrow(deps.db, experimentId);
        if (isTerminal(status)) return { status, message };
        Context.current().heartbeat();
        await Context.current().sleep(POLL_MS);
      }
    },

    async recordJudgement({ model, ...judgement }: JudgementRequest & ModelRef): Promise<{
      readonly trialId: string;
      readonly version: number;
    }> {
      const { id, version } = await recordJudgement(deps.db, model, judgement);
      return { trialId: id, version };
    },

    /** Tells the lifecycle (starting it where it is missing) and a running trial how far market time is settled. */
    async announceTick({ model, asOf }: AtSlot): Promise<void> {
      await signalLifecycle(model, SIGNALS.tick, { asOf });
      const trial = await runningTrial(deps.db, model);
      if (trial) await signalTrial(model, trial.id, asOf);
    },

    async signalDrift(
      input: AtSlot & { readonly reasons: readonly RetrainReason[]; readonly reportId: string },
    ) {
      const { model, ...signal } = input;
      await signalLifecycle(model, SIGNALS.drift, signal);
    },
  };
}

async function considerRetrain(
  deps: ActivityDeps,
  { model, asOf, reasons, reportId }: ConsiderRetrainInput,
): Promise<ConsiderRetrainResult> {
  const at = Date.parse(asOf);
  const look = await lookAt(deps, model, at);
  const stand = await stillStanding(deps, look, reasons, reportId);
  const decision = decideRetrain(look.facts, stand, retrainRule(look.template));
  // Begun by this look before it was cut short: its reasons have their retrain.
  const own = look.retrain?.id === retrainId(model, at) ? look.retrain : undefined;
  const considered = async (action: 'retrain' | 'wait'): Promise<void> => {
    if (reportId !== null) await markConsidered(deps.db, reportId, action);
  };
  if (!own && decision.action === 'wait') {
    await considered('wait');
    await explainLook(deps, look, stand);
    if (reportId !== null) await tellOfWait(deps, look, decision);
    return waits(look, decision.why, decision.reasons.length > 0);
  }
  const retrain = own ?? (await beginRetrain(deps, look, decision.reasons, reportId));
  if (retrain?.status === 'running') {
    await considered('retrain');
    return begun(deps, retrain);
  }
  await considered('wait');
  await explainLook(deps, look, stand);
  const why = retrain
    ? 'the retrain of this moment has ended already'
    : 'its champion changed, or it was frozen or retrained, while it was looked at';
  return waits(look, [why], true);
}

/** Explained when the row stands: whoever reads that this moment was looked at sees what came of it. */
async function begun(deps: ActivityDeps, retrain: Retrain): Promise<ConsiderRetrainResult> {
  const { id, model, as_of: asOf, experiment_id: experimentId } = retrain;
  await explainLook(deps, await lookAt(deps, model, asOf.getTime()), []);
  return { action: 'retrain', experimentId, retrainId: id };
}

const waits = (
  { retrain: running }: Look,
  why: readonly string[],
  keep: boolean,
): ConsiderRetrainResult => ({
  action: 'wait',
  keep,
  why,
  ...(running && {
    running: {
      retrainId: running.id,
      experimentId: running.experiment_id,
      asOf: running.as_of.toISOString(),
    },
  }),
});

/** Reasons that a report gave about a champion of former days ended with it. */
async function stillStanding(
  deps: Pick<ActivityDeps, 'db'>,
  { model, facts }: Look,
  reasons: readonly RetrainReason[],
  reportId: string | null,
): Promise<readonly RetrainReason[]> {
  const report = reportId === null ? undefined : await getDriftReport(deps.db, model, reportId);
  return report && report.version !== facts.championVersion ? [] : reasons;
}

/** A retrain that is wanted and waits: told once for the same reasons since the last retrain. */
async function tellOfWait(
  deps: Pick<ActivityDeps, 'db'>,
  { model, asOf, state }: Look,
  { reasons, why, obstacles }: Extract<RetrainDecision, { action: 'wait' }>,
): Promise<void> {
  if (reasons.length === 0) return;
  const wanted = reasons.map(reasonWords).join(' and ');
  const since = state?.last_retrain_as_of?.toISOString() ?? 'the beginning';
  await appendLifecycleEvent(deps.db, {
    model,
    asOf: new Date(asOf),
    kind: 'retrain.postponed',
    actor: 'lifecycle',
    words: `A retrain is wanted ${wanted}, and waits: ${why.join('; ')}`,
    payload: { reasons, obstacles },
    dedupeKey: `retrain.postponed/${since}/${reasons.join()}`,
  });
}

async function beginRetrain(
  deps: ActivityDeps,
  look: Look,
  reasons: readonly RetrainReason[],
  reportId: string | null,
) {
  const { model, asOf, champion, template, calendar, state } = look;
  if (!champion || !template || !calendar || !state) return undefined;
  const when = new Date(asOf);
  const spec = retrainSpec(template, {
    model,
    instruments: champion.instruments,
    samples: takesOverSizes(template) ? await samplesOf(deps, champion) : NO_SIZES,
    asOf: when.toISOString(),
  });
  const experimentId = ulid();
  const until = calendar.openTimeAt(calendar.indexOf(asOf, '1d') + template.retrain.cooldown, '1d');
  return startRetrain(deps.db, {
    id: retrainId(model, asOf),
    model,
    asOf: when,
    reasons,
    reportId,
    cooldownUntil: new Date(until),
    expectedGeneration: state.generation,
    experiment: {
      id: experimentId,
      name: spec.name,
      model: spec.model,
      spec,
      specHash: specHash(spec),
      workflowId: workflowIds.experiment(experimentId),
      actor: 'lifecycle',
    },
    words: `A retrain began ${reasons.map(reasonWords).join(' and ')} (experiment ${experimentId})`,
  });
}

/** One retrain a model and moment of market time, however often it is considered. */
function retrainId(model: string, asOf: number): string {
  const key = `${model}\n${new Date(asOf).toISOString()}`;
  return `retrain-${createHash('sha256').update(key).digest('hex').slice(0, 26)}`;
}

const NO_SIZES: SplitSizes = { train: 0, valid: 0, test: 0 };

/** Decision times in each part of the champion's evaluation: the sizes that a recent split takes over. */
async function samplesOf(
  deps: Pick<ActivityDeps, 'artifacts'>,
  { model, evaluation_uri: uri, instruments }: NonNullable<Look['champion']>,
): Promise<SplitSizes> {
  if (uri === null) {
    throw new RatchetError(
      'retrain.evaluation',
      `the champion of ${model} has no evaluation to take the sizes of a retrain from; give its template a recent split`,
    );
  }
  const { split } = parseEvaluation(await deps.artifacts.get(refOf(sha256OfUri(uri))));
  // Versions of earlier releases say samples only.
  const timesOf = ({ samples, times }: (typeof split)['train']): number =>
    times ?? Math.round(samples / instruments.length);
  return { train: timesOf(split.train), valid: timesOf(split.valid), test: timesOf(split.test) };
}
