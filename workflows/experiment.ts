import {
  ApplicationFailure,
  CancellationScope,
  ParentClosePolicy,
  executeChild,
  isCancellation,
  rootCause,
} from '@temporalio/workflow';
import type {
  CollectResult,
  DecideResult,
  EvaluateResult,
  FitInput,
  FitResult,
  FitUnit,
  Hyperparameters,
  OpenedExperiment,
  PackageInput,
  ValidateResult,
} from '../activities/contracts.ts';
import { mapBounded } from './map-bounded.ts';
import { workflowIds } from './messages.ts';
import type {
  ArtifactRef,
  ExperimentInput,
  ExperimentOutcome,
  PromoteInput,
  VersionRef,
} from './messages.ts';
import { promote } from './promote.ts';
import { isRunningAlready } from './running-already.ts';
import { collection, compute, record, training } from './stubs.ts';
import { sweep } from './sweep.ts';

/** Instruments collected at once: vendors limit request rates. */
const COLLECT_AT_ONCE = 8;
/** Units in flight: 8 units x (16 seeds + 8 baselines) stay far below 500 pending activities. */
const UNITS_AT_ONCE = 8;

/** One experiment from bars to a decided champion. Every step is an activity; data travels by reference. */
export async function experiment({ experimentId }: ExperimentInput): Promise<ExperimentOutcome> {
  try {
    const opened = await record.openExperiment({ experimentId });
    const versions = await runUnits(opened);
    const skipped = versions.every((version) => version.skipped);
    const outcome = {
      status: skipped ? ('skipped' as const) : ('completed' as const),
      message: messageOf(versions),
      versions: versions.map((version) => version.ref),
    };
    await record.finishExperiment({ experimentId, ...outcome });
    return skipped
      ? { status: 'skipped', versions: outcome.versions, reason: outcome.message }
      : { status: 'completed', versions: outcome.versions };
  } catch (error) {
    await CancellationScope.nonCancellable(() => recordEnd(experimentId, error));
    throw error;
  }
}

/** Of several models, each says whose verdict it is. */
function messageOf(versions: readonly UnitOutcome[]): string {
  const alone = versions.length === 1;
  return versions
    .map(({ ref }) => (alone ? ref.verdict : `${ref.model}: ${ref.verdict}`))
    .map((sentence) => (sentence.endsWith('.') ? sentence : `${sentence}.`))
    .join(' ');
}

interface UnitOutcome {
  readonly skipped: boolean;
  readonly ref: VersionRef;
}

async function runUnits(opened: OpenedExperiment): Promise<readonly UnitOutcome[]> {
  const datasets = await collectAll(opened);
  const validation = await compute.validate({ experimentId: opened.experimentId, datasets });
  if (!validation.passed) {
    throw ApplicationFailure.nonRetryable(validation.reasons.join(' '), 'quality.failed');
  }
  const settled = await mapBounded(opened.units, UNITS_AT_ONCE, (unit) =>
    runUnit(opened, unit, datasetsOf(unit, datasets), validation),
  );
  return allOrThrow(settled);
}

async function collectAll(opened: OpenedExperiment): Promise<readonly CollectResult[]> {
  const instruments = [...new Set(opened.units.flatMap((unit) => unit.instruments))];
  const settled = await mapBounded(instruments, COLLECT_AT_ONCE, (instrument) =>
    collection.collect({ experimentId: opened.experimentId, instrument }),
  );
  return allOrThrow(settled);
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
  const { prepared, refit: rows } = await compute.buildFeatures({ experimentId, unit, datasets });
  const hyperparameters = await searched(opened, unit, prepared);
  const { fits, baselines } = await fitAll(opened, unit, prepared, hyperparameters);
  const input = { experimentId, unit, prepared };
  const judged = { ...input, fits, baselines, validation, datasets, refit: rows };
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
  const refit = rows && (await refitServed(opened, again, served, rows));
  const packaged = await compute.packageModel({
    ...input,
    fit: served,
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

async function fitAll(
  opened: OpenedExperiment,
  unit: FitUnit,
  prepared: ArtifactRef,
  hyperparameters: Hyperparameters | undefined,
): Promise<{ fits: FitResult[]; baselines: FitResult[] }> {
  const fit = (family: string, seed: number, chosen?: Hyperparameters): Promise<FitResult> => {
    const input = { experimentId: opened.experimentId, unit, prepared, family, seed };
    return training.fit({ ...input, hyperparameters: chosen });
  };
  const [fits, baselines] = await Promise.all([
    Promise.all(opened.seeds.map((seed) => fit(opened.family, seed, hyperparameters))),
    // Baselines are deterministic: one seed says all.
    Promise.all(opened.baselines.map((family) => fit(family, 0))),
  ]);
  return { fits, baselines };
}

/** The served seed's fit once more on the refit's rows: what is packaged, while its twin was evaluated. */
async function refitServed(
  opened: OpenedExperiment,
  input: Pick<FitInput, 'experimentId' | 'unit' | 'prepared' | 'hyperparameters'>,
  { seed, fitted: twin }: FitResult,
  rows: ArtifactRef,
): Promise<NonNullable<PackageInput['refit']>> {
  const fit = await training.fit({ ...input, family: opened.family, seed, refit: { rows, twin } });
  return { fit, rows };
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

function datasetsOf(unit: FitUnit, all: readonly CollectResult[]): readonly CollectResult[] {
  return all.filter((dataset) => unit.instruments.includes(dataset.instrument));
}

/** All values, or one failure that names every cause; a cancel stays a cancel. */
function allOrThrow<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  const failures = settled.filter((result) => result.status === 'rejected');
  const first = failures[0];
  if (first === undefined) {
    return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
  }
  if (failures.length === 1 || failures.some((failure) => isCancellation(failure.reason))) {
    throw (failures.find((failure) => isCancellation(failure.reason)) ?? first).reason;
  }
  const message = failures.map((failure) => reasonOf(failure.reason)).join(' | ');
  throw ApplicationFailure.nonRetryable(message, 'experiment.units-failed');
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

const reasonOf = (error: unknown): string => rootCause(error) ?? String(error);
