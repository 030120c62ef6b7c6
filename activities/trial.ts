import { createHash } from 'node:crypto';
import { z } from 'zod';
import { policyOrThrow } from '../core/policies/index.ts';
import type { TrialDecision } from '../core/policies/trial.ts';
import { promotionSchema, type TrialSpec } from '../core/spec/promotion-schema.ts';
import { currentChampion, type Champion } from '../registry/champions.ts';
import { decisionById, recordDecision, type Decision } from '../registry/decisions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { appendLifecycleEvent } from '../registry/lifecycle-events.ts';
import { lifecycleState, settledAsOf } from '../registry/lifecycle-state.ts';
import { endTrial, openTrial, recordTrialLook, trialById, type Trial } from '../registry/trials.ts';
import { getVersion } from '../registry/versions.ts';
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
import { dispatchAlerts } from './alert-dispatch.ts';
import type { ActivityDeps } from './deps.ts';
import { signalLifecycle } from './lifecycle-signal.ts';
import { explainAgain } from './lifecycle-view.ts';
import { trialEvidence } from './trial-evidence.ts';

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
  const { model, version, decisionId } = input;
  const earlier = await trialById(deps.db, trialIdOf(decisionId));
  if (earlier) return opened(earlier);
  const started = await startable(deps, input);
  if ('refused' in started) {
    await tellOfRefusal(deps, input, started.refused);
    return { status: 'refused', reason: started.refused };
  }
  const { gate, champion, promotion } = started;
  const { trial } = promotion;
  const row = await openTrial(deps.db, {
    id: trialIdOf(decisionId),
    model,
    version,
    championVersion: champion.version,
    generation: champion.generation,
    kind: trial.kind,
    policy: promotion.policy,
    mode: gate.verdict === 'accept' ? 'guard' : 'prove',
    settings: promotion,
    startedAsOf: startOf(await settledAsOf(deps.db, model), started.asOf, deps.clock()),
    share: trial.kind === 'canary' ? trial.steps[0]! : 0,
    gateDecisionId: decisionId,
    experimentId: input.experimentId,
    ...(trial.kind === 'manual' && { approveWithinDays: trial.maxDays }),
    words: `A ${trial.kind} trial of version ${version} against champion v${champion.version} began: ${gate.reasons.join('; ')}`,
  });
  if (!row) return { status: 'busy', reason: 'another trial of the model runs' };
  await explainAgain(deps, model, row.started_as_of.getTime());
  // A person who is waited for must hear of it now.
  if (row.kind === 'manual') await dispatchAlerts(deps, model);
  return opened(row);
}

/** Market time that a trial begins at: what is settled, but never before what its challenger was trained as of. */
function startOf(settled: Date | null, trainedAsOf: string | undefined, now: number): Date {
  const known = settled?.getTime() ?? (trainedAsOf === undefined ? now : 0);
  return new Date(Math.max(known, trainedAsOf === undefined ? 0 : Date.parse(trainedAsOf)));
}

const opened = ({ id, status }: Trial): OpenTrialResult =>
  status === 'running'
    ? { status, trialId: id }
    : { status: 'refused', reason: `the trial ended ${status}` };

type Promotion = z.output<typeof promotionSchema>;
type Startable =
  | { readonly refused: string }
  | {
      readonly gate: Decision;
      readonly champion: Champion;
      readonly promotion: Promotion & { readonly trial: Exclude<TrialSpec, { kind: 'none' }> };
      /** Market time that the challenger was trained as of; absent: as of then. */
      readonly asOf: string | undefined;
    };

/** What a trial begins with, as long as the gate's decision still holds. */
async function startable(
  { db }: Pick<ActivityDeps, 'db'>,
  { model, version, decisionId, experimentId }: OpenTrialInput,
): Promise<Startable> {
  const gate = await decisionById(db, decisionId);
  if (!gate) return { refused: `there is no decision ${decisionId}` };
  const champion = await currentChampion(db, model);
  if (champion?.generation !== gate.expected_generation) {
    return { refused: 'the champion changed after it was judged' };
  }
  if (!(await getVersion(db, model, version))) return { refused: 'it was deleted' };
  const { promotion, data } = await experimentSpecOrThrow(db, experimentId);
  const { trial } = promotion;
  if (trial.kind === 'none') return { refused: 'its spec asks for no trial' };
  return { gate, champion, promotion: { ...promotion, trial }, asOf: data.asOf };
}

/** A challenger that waited too long is part of the model's story too. */
async function tellOfRefusal(
  { db }: Pick<ActivityDeps, 'db'>,
  { model, version, decisionId }: OpenTrialInput,
  reason: string,
): Promise<void> {
  await appendLifecycleEvent(db, {
    model,
    asOf: await settledAsOf(db, model),
    kind: 'trial.refused',
    version,
    actor: 'policy',
    words: `No trial of version ${version} begins: ${reason}`,
    payload: { decision: decisionId, reason },
    dedupeKey: `trial.refused/${decisionId}`,
  });
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
  const state = await lifecycleState(deps.db, trial.model);
  const made = await decisionById(deps.db, endDecisionId(trial.id));
  const generation = state?.generation ?? 0;
  if (generation !== trial.generation) {
    if (made && (await isPromoted(deps, made))) return resultOf(trial, made);
    const reason = `the model moved on to generation ${generation} while version ${trial.version} was on trial`;
    return { decision: 'superseded', reasons: [reason] };
  }
  // Decided before it was cut short: what is on record stands, whatever was settled or revised since.
  if (made && trial.judgement?.decision !== 'reject') return resultOf(trial, made);
  if (trial.judgement) return byHand(deps, trial);
  if (trial.kind === 'manual') return { decision: 'continue' };
  const { evidence, sheet, params } = await trialEvidence(deps, trial, asOf);
  const judged = policyOrThrow(trial.policy).judge(evidence, params);
  const decided = state?.frozen === true ? heldBack(trial, judged) : judged;
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

/**
 * Of a frozen model: nothing comes to serve more by itself. What was proved stays so, as the sequential test ends with its
 * first decision, and is promoted with the first look after it was unfrozen; harm still ends a trial, and so does time.
 */
function heldBack(trial: Trial, judged: TrialDecision): TrialDecision {
  const share = Math.min(trial.share, judged.share);
  if (judged.verdict !== 'accept') return { ...judged, share };
  const held = 'Accepted, but the model is frozen: it is promoted once it is unfrozen, or by hand';
  return { ...judged, verdict: 'continue', share: trial.share, reasons: [held, ...judged.reasons] };
}

/** Is its promotion what moved the model on? Then the trial was lost before it was closed. */
async function isPromoted(deps: ActivityDeps, { id, model }: Decision): Promise<boolean> {
  return (await currentChampion(deps.db, model))?.promotion_id === id;
}

/** A person's word, kept as a decision like any other; the record says whose it is. */
async function byHand(deps: ActivityDeps, trial: Trial): Promise<JudgeTrialResult> {
  const { decision, actor, reason } = trial.judgement!;
  const reasons = [`${decision === 'approve' ? 'Approved' : 'Rejected'} by ${actor}: ${reason}`];
  const kept = await keep(deps, trial, {
    policy: 'manual',
    verdict: decision === 'approve' ? 'accept' : 'reject',
    reasons,
    evidence: {
      judgement: trial.judgement,
      gateDecision: trial.gate_decision_id,
      outcome: decision === 'approve' ? 'accept' : 'reject',
    },
  });
  // A rejection holds even where the rows had just accepted it.
  return decision === 'approve' ? resultOf(trial, kept) : { decision: 'reject', reasons };
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
  return resultOf(trial, kept);
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

/** What a kept decision means for its trial. */
function resultOf(trial: Trial, { id, verdict, reasons, evidence }: Decision): JudgeTrialResult {
  if (verdict === 'accept') {
    const { version, generation: expectedGeneration } = trial;
    return { decision: 'accept', promotionId: id, version, expectedGeneration, reasons };
  }
  const { outcome } = z.object({ outcome: endedSchema }).parse(evidence);
  return { decision: outcome, reasons };
}

const endedSchema = z.enum(['reject', 'undecided', 'abort']);
