import { createHash } from 'node:crypto';
import type { EvaluatedComparison } from '../core/evaluation/evaluation.ts';
import { levelOfTry } from '../core/metrics/tries.ts';
import { policyOrThrow } from '../core/policies/index.ts';
import { DEFAULT_GUARDS, type TrialDecision, type TrialEvidence } from '../core/policies/trial.ts';
import { promotionSchema } from '../core/spec/promotion-schema.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { currentChampion, modelGeneration } from '../registry/champions.ts';
import { decisionById, recordDecision, type Decision } from '../registry/decisions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { recordGateTry } from '../registry/gate-tries.ts';
import { pairedLosses, type PairedLosses } from '../registry/outcomes.ts';
import { lifecycleState } from '../registry/lifecycle-state.ts';
import { trialArms } from '../registry/trial-arms.ts';
import { endTrial, openTrial, recordTrialLook, trialById, type Trial } from '../registry/trials.ts';
import { SIGNALS } from '../workflows/lifecycle-messages.ts';
import type {
  CloseTrialInput,
  JudgeTrialInput,
  JudgeTrialResult,
  OpenTrialInput,
  OpenTrialResult,
  TrialRef,
  TrialStanding,
} from './contracts-lifecycle.ts';
import type { ActivityDeps } from './deps.ts';
import { signalLifecycle } from './lifecycle-signal.ts';
import { explainAgain, sessionsBetween } from './lifecycle-view.ts';
import { calendarOfSpec } from './source-of.ts';

const DAY_MS = 86_400_000;

/** The steps of a trial. Rows hold it: a look may be repeated, and a restarted workflow goes on from them. */
export function createTrialActivities(deps: ActivityDeps) {
  return {
    openTrial: (input: OpenTrialInput): Promise<OpenTrialResult> => open(deps, input),

    /** Opens the trial of a challenger where none runs, and has the lifecycle conduct it, or wait with it. */
    async proposeChallenger(input: OpenTrialInput): Promise<void> {
      await open(deps, input);
      const { model, ...challenger } = input;
      await signalLifecycle(model, SIGNALS.challenger, challenger);
    },

    async trialStanding({ trialId }: TrialRef): Promise<TrialStanding> {
      const trial = await trialById(deps.db, trialId);
      if (!trial) return { status: 'ended', reasons: [`there is no trial ${trialId}`] };
      if (trial.status !== 'running') {
        return { status: 'ended', reasons: [`it ended ${trial.status} already`] };
      }
      return {
        status: 'running',
        asOf: trial.last_as_of.toISOString(),
        approveWithinMs: approveWithinMs(trial, deps.clock()),
      };
    },

    /** One look at a running trial, as of a moment of market time. */
    async judgeTrial({ trialId, asOf }: JudgeTrialInput): Promise<JudgeTrialResult> {
      const trial = await trialById(deps.db, trialId);
      if (!trial) throw new Error(`there is no trial ${trialId}`);
      const result = await judge(deps, trial, Date.parse(asOf));
      await explainAgain(deps, trial.model, Date.parse(asOf));
      return result;
    },

    /** Ends the trial in the rows; a trial that ended stays as it ended. */
    async closeTrial({ trialId, status, reasons, actor, asOf }: CloseTrialInput): Promise<void> {
      const trial = await trialById(deps.db, trialId);
      if (!trial) return;
      await endTrial(deps.db, {
        trialId,
        status,
        reasons,
        actor,
        asOf: new Date(asOf),
        endDecisionId: (await decisionById(deps.db, endDecisionId(trialId)))?.id,
        words: `The ${trial.kind} trial of version ${trial.version} ended ${status}: ${reasons.join('; ')}`,
      });
      await explainAgain(deps, trial.model, Date.parse(asOf));
    },
  };
}

async function open(deps: ActivityDeps, input: OpenTrialInput): Promise<OpenTrialResult> {
  const { model, version, decisionId, experimentId } = input;
  const refused = (reason: string): OpenTrialResult => ({ status: 'refused', reason });
  const gate = await decisionById(deps.db, decisionId);
  if (!gate) return refused(`there is no decision ${decisionId}`);
  const champion = await currentChampion(deps.db, model);
  const generation = await modelGeneration(deps.db, model);
  if (!champion || generation !== gate.expected_generation) {
    return refused(`the champion changed after version ${version} was judged against it`);
  }
  const { promotion } = await experimentSpecOrThrow(deps.db, experimentId);
  const { trial } = promotion;
  if (trial.kind === 'none') return refused('its spec asks for no trial');
  const state = await lifecycleState(deps.db, model);
  const mode = gate.verdict === 'accept' ? ('guard' as const) : ('prove' as const);
  const row = await openTrial(deps.db, {
    id: trialIdOf(decisionId),
    model,
    version,
    championVersion: champion.version,
    generation,
    kind: trial.kind,
    policy: promotion.policy,
    mode,
    settings: promotion,
    startedAsOf: state?.settled_as_of ?? new Date(deps.clock()),
    share: trial.kind === 'canary' ? trial.steps[0]! : 0,
    gateDecisionId: decisionId,
    experimentId,
    ...(trial.kind === 'manual' && { approveWithinDays: trial.maxDays }),
    words: `A ${trial.kind} trial of version ${version} against champion v${champion.version} began: ${gate.reasons.join('; ')}`,
  });
  if (!row) return { status: 'busy', reason: 'another trial of the model runs' };
  if (row.status !== 'running') return refused(`the trial ended ${row.status}`);
  await explainAgain(deps, model, row.started_as_of.getTime());
  return { status: 'running', trialId: row.id };
}

/** One trial a decision of the gate, however often it is opened. */
const trialIdOf = (decisionId: string): string => decisionId.replace(/^decision/, 'trial');

function approveWithinMs({ kind, settings, started_at }: Trial, now: number): number | null {
  const { trial } = promotionSchema.parse(settings);
  if (kind !== 'manual' || trial.kind !== 'manual') return null;
  return started_at.getTime() + trial.maxDays * DAY_MS - now;
}

async function judge(deps: ActivityDeps, trial: Trial, asOf: number): Promise<JudgeTrialResult> {
  if (trial.status !== 'running') {
    return { decision: 'superseded', reasons: [`the trial ended ${trial.status} already`] };
  }
  const generation = await modelGeneration(deps.db, trial.model);
  if (generation !== trial.generation) {
    const own = await ownPromotion(deps, trial);
    if (own) return accepted(trial, own);
    const reason = `the model moved on to generation ${generation} while version ${trial.version} was on trial`;
    return { decision: 'superseded', reasons: [reason] };
  }
  if (trial.judgement) return byHand(deps, trial);
  if (trial.kind === 'manual') return { decision: 'continue' };
  const { evidence, sheet, params } = await evidenceOf(deps, trial, asOf);
  const decided = policyOrThrow(trial.policy).judge(evidence, params);
  const goesOn = decided.verdict === 'continue';
  await recordTrialLook(deps.db, {
    trialId: trial.id,
    // The last look moves the trial's time when it is closed: until then its end is not known outside.
    asOf: goesOn ? new Date(asOf) : trial.last_as_of,
    // An accepted canary keeps its share until the switch.
    share: decided.verdict === 'accept' ? trial.share : decided.share,
    progress: decided.progress,
    reasons: decided.reasons,
  });
  if (goesOn) return { decision: 'continue' };
  return ended(deps, trial, decided, sheet);
}

/** The decision of this trial where its promotion is what moved the model on: lost before it was closed. */
async function ownPromotion(deps: ActivityDeps, trial: Trial): Promise<Decision | undefined> {
  const decision = await decisionById(deps.db, endDecisionId(trial.id));
  const champion = await currentChampion(deps.db, trial.model);
  return decision && champion?.promotion_id === decision.id ? decision : undefined;
}

/** A person's word, kept as a decision like any other; the record says whose it is. */
async function byHand(deps: ActivityDeps, trial: Trial): Promise<JudgeTrialResult> {
  const { decision, actor, reason } = trial.judgement!;
  const reasons = [`${decision === 'approve' ? 'Approved' : 'Rejected'} by ${actor}: ${reason}`];
  const kept = await keep(deps, trial, {
    policy: 'manual',
    verdict: decision === 'approve' ? 'accept' : 'reject',
    reasons,
    evidence: { judgement: trial.judgement, gateDecision: trial.gate_decision_id },
  });
  return decision === 'approve' ? accepted(trial, kept) : { decision: 'reject', reasons };
}

async function ended(
  deps: ActivityDeps,
  trial: Trial,
  { verdict, reasons, progress }: TrialDecision,
  sheet: object,
): Promise<JudgeTrialResult> {
  const kept = await keep(deps, trial, {
    policy: trial.policy,
    verdict: verdict === 'accept' ? 'accept' : verdict === 'undecided' ? 'continue' : 'reject',
    reasons,
    evidence: { ...sheet, outcome: verdict, progress },
  });
  if (verdict === 'accept') return accepted(trial, kept);
  return { decision: verdict === 'continue' ? 'undecided' : verdict, reasons };
}

const endDecisionId = (trialId: string): string =>
  `decision-${createHash('sha256').update(`end\n${trialId}`).digest('hex').slice(0, 26)}`;

function keep(
  deps: ActivityDeps,
  trial: Trial,
  made: Pick<Decision, 'policy' | 'verdict' | 'reasons' | 'evidence'>,
): Promise<Decision> {
  return recordDecision(deps.db, {
    id: endDecisionId(trial.id),
    model: trial.model,
    version: trial.version,
    championVersion: trial.champion_version,
    expectedGeneration: trial.generation,
    workflowId: `trial/${trial.model}`,
    ...made,
  });
}

const accepted = (trial: Trial, decision: Decision): JudgeTrialResult => ({
  decision: 'accept',
  promotionId: decision.id,
  version: trial.version,
  expectedGeneration: trial.generation,
  reasons: decision.reasons,
});

/** What the policy judges, and the sheet that is kept of it. */
async function evidenceOf(deps: ActivityDeps, trial: Trial, asOf: number) {
  const promotion = promotionSchema.parse(trial.settings);
  const spec = await experimentSpecOrThrow(deps.db, trial.experiment_id);
  const calendar = await calendarOfSpec(deps, spec);
  const paired = await pairedLosses(deps.db, { trialId: trial.id, settledBy: asOf });
  const championVersion = trial.champion_version ?? 0;
  const k = await recordGateTry(deps.db, {
    model: trial.model,
    championVersion,
    rowsDigest: `trial/${trial.id}`,
    challengerVersion: trial.version,
  });
  const settings = promotion.trial;
  const isTested = settings.kind === 'shadow' || settings.kind === 'canary';
  const evidence: TrialEvidence = {
    kind: settings.kind === 'canary' ? 'canary' : 'shadow',
    mode: trial.mode,
    version: trial.version,
    championVersion,
    losses: { champion: paired.champion, challenger: paired.challenger },
    horizon: Math.max(...spec.label.horizons),
    arms: await trialArms(deps.db, trial),
    guards: settings.kind === 'canary' ? settings.guards : DEFAULT_GUARDS,
    elapsed: sessionsBetween(calendar, trial.started_as_of.getTime(), asOf),
    maxDays: settings.kind === 'none' ? 0 : settings.maxDays,
    barsPerSession: barsPerSession(calendar, spec),
    minIndependent: isTested ? settings.minIndependent : 0,
    guarantee: promotion.guarantee,
    clipScale: await clipScaleOf(deps, trial),
    alpha: levelOfTry(promotion.alpha, k),
    steps: settings.kind === 'canary' ? settings.steps : [],
    stepDays: settings.kind === 'canary' ? settings.stepDays : 1,
  };
  const sheet = sheetOf(deps, trial, evidence, paired, k);
  return { evidence, sheet, params: policyOrThrow(trial.policy).params.parse(promotion) };
}

const barsPerSession = (
  calendar: Awaited<ReturnType<typeof calendarOfSpec>>,
  { data }: ExperimentSpec,
): number =>
  Math.max(1, Math.round(calendar.barsPerYear(data.timeframe) / calendar.barsPerYear('1d')));

/** Scale of the strict test's clip: from the offline rows of the gate, so that no row of the trial sets it. */
async function clipScaleOf(deps: ActivityDeps, trial: Trial): Promise<number | null> {
  const gate = await decisionById(deps.db, trial.gate_decision_id);
  const { comparisons = [] } = (gate?.evidence ?? {}) as { comparisons?: EvaluatedComparison[] };
  const against = (name: string): number | null =>
    comparisons.find((comparison) => comparison.against === name)?.clipScale ?? null;
  return against('champion') ?? against('naive');
}

/** The evidence sheet: rows by their digest, not by the thousand. */
function sheetOf(
  deps: ActivityDeps,
  trial: Trial,
  evidence: TrialEvidence,
  paired: PairedLosses,
  k: number,
): object {
  const { losses: _losses, ...rest } = evidence;
  const digest = createHash('sha256');
  for (const column of [paired.asOf, paired.champion, paired.challenger]) {
    digest.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  }
  return {
    ...rest,
    trial: trial.id,
    gateDecision: trial.gate_decision_id,
    tries: { k },
    independent: paired.asOf.length / evidence.horizon,
    data: { rows: digest.digest('hex') },
    codeVersion: deps.codeVersion,
  };
}
