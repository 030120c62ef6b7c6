import {
  ApplicationFailure,
  CancellationScope,
  ParentClosePolicy,
  executeChild,
  isCancellation,
} from '@temporalio/workflow';
import type {
  CollectResult,
  DecideResult,
  EvaluateResult,
  FitUnit,
  Hyperparameters,
  OpenedExperiment,
  ValidateResult,
} from '../activities/contracts.ts';
import { reasonOf } from './all-or-throw.ts';
import { workflowIds } from './messages.ts';
import type {
  ArtifactRef,
  ExperimentInput,
  ExperimentOutcome,
  PromoteInput,
  UnitFailure,
  VersionRef,
} from './messages.ts';
import { promote } from './promote.ts';
import { isRunningAlready } from './running-already.ts';
import { compute, record } from './stubs.ts';
import { sweep } from './sweep.ts';
import { fitAll, fitFolds, refitServed } from './unit-fits.ts';
import { runUnits } from './units.ts';

/** One experiment from bars to a decided champion. Every step is an activity; data travels by reference. */
export async function experiment({ experimentId }: ExperimentInput): Promise<ExperimentOutcome> {
  try {
    const opened = await record.openExperiment({ experimentId });
    const { done, failed } = await runUnits(opened, (...unit) => runUnit(opened, ...unit));
    const skipped = failed.length === 0 && done.every((version) => version.skipped);
    const outcome = {
      status: skipped ? ('skipped' as const) : ('completed' as const),
      message: messageOf(done, failed),
      versions: done.map((version) => version.ref),
      ...(failed.length > 0 && { failed }),
    };
    await record.finishExperiment({ experimentId, ...outcome });
    if (skipped) {
      return { status: 'skipped', versions: outcome.versions, reason: outcome.message };
    }
    const { versions } = outcome;
    return { status: 'completed', versions, ...(failed.length > 0 && { failed }) };
  } catch (error) {
    await CancellationScope.nonCancellable(() => recordEnd(experimentId, error));
    throw error;
  }
}

/** Of several models, each says whose verdict it is; those that failed come first. */
function messageOf(versions: readonly UnitOutcome[], failed: readonly UnitFailure[]): string {
  const all = versions.length + failed.length;
  const failures = failed.map(({ model, reason }) => `${model}: ${reason}`).join(' | ');
  return [
    ...(failed.length > 0 ? [`${failed.length} of ${all} models failed: ${failures}`] : []),
    ...versions.map(({ ref }) => (all === 1 ? ref.verdict : `${ref.model}: ${ref.verdict}`)),
  ]
    .map((sentence) => (sentence.endsWith('.') ? sentence : `${sentence}.`))
    .join(' ');
}

interface UnitOutcome {
  readonly skipped: boolean;
  readonly ref: VersionRef;
}

/** One unit: its version trained, judged, packaged, registered and, when it proved better, promoted. */
async function runUnit(
  opened: OpenedExperiment,
  unit: FitUnit,
  datasets: readonly CollectResult[],
  validation: ValidateResult,
): Promise<UnitOutcome> {
  const { experimentId } = opened;
  const fitting = await record.findFittingVersion({ experimentId, unit, datasets });
  if (fitting.skip) {
    const ref = {
      model: unit.model,
      version: fitting.version,
      promoted: false,
      verdict: fitting.reason,
    };
    return { skipped: true, ref };
  }
  const built = await compute.buildFeatures({ experimentId, unit, datasets });
  const { prepared, refit: rows } = built;
  const hyperparameters = await searched(opened, unit, prepared);
  const [{ fits, baselines }, folds] = await Promise.all([
    fitAll(opened, unit, prepared, hyperparameters),
    fitFolds(opened, unit, built, hyperparameters),
  ]);
  const input = { experimentId, unit, prepared };
  const judged = { ...input, fits, baselines, folds, validation, datasets, refit: rows };
  const evaluation = await compute.evaluate(judged);
  const served = fits.find((fit) => fit.seed === evaluation.servedSeed);
  if (served === undefined) {
    throw ApplicationFailure.nonRetryable(
      `no fit has seed ${evaluation.servedSeed}`,
      'internal.seed',
    );
  }
  // A history from before there were refits has none in what buildFeatures gave.
  const again = { ...input, hyperparameters };
  const all = evaluation.serve === 'seedEnsemble' ? fits : undefined;
  const refit = rows && (await refitServed(opened, again, served, rows, all));
  const packaged = await compute.packageModel({
    ...input,
    fit: served,
    fits: all,
    evaluation,
    datasets,
    refit,
  });
  const { version } = await record.register({
    experimentId,
    unit,
    package: packaged,
    fits,
    evaluation,
  });
  return { skipped: false, ref: await decideAndPromote(opened, unit, version, evaluation) };
}

/** What a search found; undefined where the spec asks for none, or in a history from before there were searches. */
async function searched(
  { experimentId, search }: OpenedExperiment,
  unit: FitUnit,
  prepared: ArtifactRef,
): Promise<Hyperparameters | undefined> {
  if (search === undefined) return undefined;
  const { hyperparameters } = await executeChild(sweep, {
    workflowId: workflowIds.sweep(experimentId, unit.model),
    args: [{ experimentId, unit, prepared, ...search, next: 0 }],
  });
  return hyperparameters;
}

async function decideAndPromote(
  opened: OpenedExperiment,
  unit: FitUnit,
  version: number,
  evaluation: EvaluateResult,
): Promise<VersionRef> {
  const { experimentId } = opened;
  const decision = await record.decide({ experimentId, unit, version, evaluation });
  const ref = { model: unit.model, version, promoted: false, verdict: evaluation.verdict };
  if (decision.trial !== undefined) {
    const decisionId = decision.promotionId;
    await record.proposeChallenger({ model: unit.model, version, experimentId, decisionId });
    const trial = `A ${decision.trial} trial comes before any promotion: ${decision.reasons.join('; ')}.`;
    return { ...ref, verdict: `${evaluation.verdict} ${trial}` };
  }
  if (decision.verdict !== 'accept') {
    return {
      ...ref,
      verdict: `${evaluation.verdict} Not promoted: ${decision.reasons.join('; ')}.`,
    };
  }
  const outcome = await promoteAccepted(unit, version, decision);
  return outcome === 'promoted'
    ? { ...ref, promoted: true }
    : { ...ref, verdict: `${evaluation.verdict} Not promoted: ${outcome}.` };
}

/**
 * `promoted`, or why not. A cancel goes on to the child, which withdraws its intent or, from the switch on,
 * ends by itself; it outlives a parent that is terminated.
 */
async function promoteAccepted(
  unit: FitUnit,
  version: number,
  decision: DecideResult,
): Promise<string> {
  const input: PromoteInput = {
    promotionId: decision.promotionId,
    model: unit.model,
    version,
    actor: 'policy',
    reason: decision.reasons.join('; '),
    expectedGeneration: decision.expectedGeneration,
  };
  try {
    const outcome = await executeChild(promote, {
      workflowId: workflowIds.promote(unit.model),
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    return outcome.status === 'promoted' ? 'promoted' : outcome.reason;
  } catch (error) {
    if (isRunningAlready(error)) {
      return `another promotion of ${unit.model} is under way; promote version ${version} when it has ended`;
    }
    throw error;
  }
}

async function recordEnd(experimentId: string, error: unknown): Promise<void> {
  const cancelled = isCancellation(error);
  await record.finishExperiment({
    experimentId,
    status: cancelled ? 'cancelled' : 'failed',
    message: cancelled ? 'cancelled on request' : reasonOf(error),
    versions: [],
  });
}
