import { createHash } from 'node:crypto';
import { MAJORITY, NAIVE, type EvaluatedComparison } from '../core/evaluation/index.ts';
import { levelOfTry } from '../core/metrics/tries.ts';
import { policyOrThrow } from '../core/policies/index.ts';
import { DEFAULT_GUARDS, type TrialEvidence } from '../core/policies/trial.ts';
import { promotionSchema } from '../core/spec/promotion-schema.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { decisionById } from '../registry/decisions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { countGateTries, recordGateTry } from '../registry/gate-tries.ts';
import { pairedLosses, type PairedLosses } from '../registry/outcomes.ts';
import { trialArms } from '../registry/trial-arms.ts';
import type { Trial } from '../registry/trials.ts';
import type { ActivityDeps } from './deps.ts';
import { sessionsBetween } from './lifecycle-view.ts';
import { calendarOfSpec } from './source-of.ts';

type Deps = Pick<
  ActivityDeps,
  'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock' | 'codeVersion'
>;

/** What the policy judges, and the sheet that is kept of it. */
export async function trialEvidence(deps: Deps, trial: Trial, asOf: number) {
  const promotion = promotionSchema.parse(trial.settings);
  const spec = await experimentSpecOrThrow(deps.db, trial.experiment_id);
  const calendar = await calendarOfSpec(deps, spec);
  const paired = await pairedLosses(deps.db, { trialId: trial.id, settledBy: asOf });
  const championVersion = trial.champion_version ?? 0;
  const k = await tryOf(deps, trial, championVersion);
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

/** The how manieth try this is; rows that can only stop a challenger, proved by an earlier try, try nothing. */
async function tryOf(deps: Deps, trial: Trial, championVersion: number): Promise<number> {
  const { id, model, mode, version: challengerVersion } = trial;
  if (mode === 'guard') return Math.max(1, await countGateTries(deps.db, model, championVersion));
  const rowsDigest = `trial/${id}`;
  return recordGateTry(deps.db, { model, championVersion, rowsDigest, challengerVersion });
}

const barsPerSession = (
  calendar: Awaited<ReturnType<typeof calendarOfSpec>>,
  { data }: ExperimentSpec,
): number =>
  Math.max(1, Math.round(calendar.barsPerYear(data.timeframe) / calendar.barsPerYear('1d')));

/** Scale of the strict test's clip: from the offline rows of the gate, so that no row of the trial sets it. */
async function clipScaleOf(deps: Deps, trial: Trial): Promise<number | null> {
  const gate = await decisionById(deps.db, trial.gate_decision_id);
  const { comparisons = [] } = (gate?.evidence ?? {}) as { comparisons?: EvaluatedComparison[] };
  const against = (name: string): number | null =>
    comparisons.find((comparison) => comparison.against === name)?.clipScale ?? null;
  return against('champion') ?? against(NAIVE) ?? against(MAJORITY);
}

/** The evidence sheet: rows by their digest, not by the thousand. */
function sheetOf(
  deps: Deps,
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
