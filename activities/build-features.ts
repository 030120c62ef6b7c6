import { Context } from '@temporalio/activity';
import type { Bars } from '../core/bars/bars.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import { featureSetOf, type FeatureSet } from '../core/features/index.ts';
import { encodeFold } from '../core/features/fold.ts';
import {
  type PreparedSummary,
  type PreparePlan,
  prepareUnit,
  type RowsPlan,
} from '../core/features/prepare.ts';
import { encodePrepared } from '../core/features/prepared.ts';
import { encodeRefit } from '../core/features/refit.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import { needsMarket } from '../core/models/model.ts';
import { outliersOf } from '../core/spec/outliers.ts';
import { missingRulesOf } from '../core/spec/missing-rules.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { readBars } from '../registry/datasets.impl.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { cachedStep } from '../registry/step-cache.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { BuildFeaturesInput, BuildFeaturesResult, CollectResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

/** Raised when equal bars and settings would be prepared differently. */
const STEP_VERSION = 'prepare/3';

interface PreparedStep {
  readonly prepared: ArtifactRef;
  readonly summary: PreparedSummary;
  readonly refit?: ArtifactRef;
  readonly folds?: readonly ArtifactRef[];
}

/**
 * Features, labels, split and scalers of one unit, as one artifact. Safe to run twice: the result is
 * a function of dataset hashes and settings, and equal work is found by content.
 *
 * Permanent errors: `splits.tooFewRows` (with the computed minimum), `splits.purgeTooShort`,
 * `features.notFinite`, `features.noDataset`.
 */
export function createBuildFeaturesActivities(deps: ActivityDeps) {
  return {
    async buildFeatures(input: BuildFeaturesInput): Promise<BuildFeaturesResult> {
      const spec = await experimentSpecOrThrow(deps.db, input.experimentId);
      const calendar = await calendarOfSpec(deps, spec);
      const set = featureSetOf(spec.features);
      const datasets = datasetsOf(input);
      const { result, cached } = await cachedStep(
        deps,
        {
          step: 'build-features',
          version: STEP_VERSION,
          key: cacheKey(spec, set, calendar, datasets),
        },
        () => prepare(deps, planOf(spec, set, calendar), datasets),
      );
      await report(deps, input, result, cached);
      const { train, valid, test } = result.summary.parts;
      return {
        prepared: result.prepared,
        samples: { train: train.rows, valid: valid.rows, test: test.rows },
        ...(result.refit && { refit: result.refit }),
        ...(result.folds && { folds: result.folds }),
        cached,
      };
    },
  };
}

/** The unit's dataset versions in the order of its instruments. */
function datasetsOf({ unit, datasets }: BuildFeaturesInput): CollectResult[] {
  return unit.instruments.map((instrument) => {
    const found = datasets.find((dataset) => dataset.instrument === instrument);
    if (found) return found;
    throw new RatchetError('features.noDataset', `no dataset version of ${instrument} was given`, {
      details: { instrument, model: unit.model },
    });
  });
}

/** How rows of a spec are made, whatever part they stand in. */
export function rowsPlanOf(spec: ExperimentSpec, set: FeatureSet, calendar: Calendar): RowsPlan {
  const { lookback, label, scaling } = spec;
  return {
    set,
    lookback,
    label,
    scaling: { ...scaling, per: scaling.per ?? (spec.fit === 'pooled' ? 'instrument' : 'unit') },
    timeframe: spec.data.timeframe,
    calendar,
    ...missingRulesOf(spec),
    outliers: outliersOf(spec),
  };
}

function planOf(spec: ExperimentSpec, set: FeatureSet, calendar: Calendar): PreparePlan {
  const refit = spec.refit === 'none' ? undefined : spec.refit;
  const market = readsMarket(spec);
  return { ...rowsPlanOf(spec, set, calendar), split: spec.split, refit, market };
}

/** Does any family that is fitted, a baseline with its defaults among them, learn by trading? */
function readsMarket({ family, hyperparameters, baselines }: ExperimentSpec): boolean {
  const asked = [
    [family, hyperparameters] as const,
    ...baselines.map((name) => [name, {}] as const),
  ];
  return asked.some(([name, given]) => {
    const found = modelFamilyOrThrow(name);
    return needsMarket(found, found.params.parse(given));
  });
}

/** What is declared of missing bars beside the one policy for all. */
function otherRules(spec: ExperimentSpec, datasets: readonly CollectResult[]): readonly unknown[] {
  const units = datasets.map(({ instrument }) => ({ id: instrument }));
  const { missing: _missing, ...others } = missingRulesOf(spec, units);
  return Object.keys(others).length > 0 ? [others] : [];
}

/** Everything the artifact depends on; the spec's name, seeds or family are not part of it. */
function cacheKey(
  spec: ExperimentSpec,
  set: FeatureSet,
  calendar: Calendar,
  datasets: readonly CollectResult[],
): readonly unknown[] {
  return [
    datasets.map(({ instrument, datasetHash }) => [instrument, datasetHash]),
    set.name,
    set.hash,
    calendar.name,
    spec.data.timeframe,
    spec.data.missing,
    spec.lookback,
    spec.label,
    spec.split,
    spec.scaling,
    // Only where it is asked for: what was prepared before there were refits stays found.
    ...(spec.refit === 'none' ? [] : [spec.refit]),
    ...(readsMarket(spec) ? ['market'] : []),
    // Likewise.
    ...otherRules(spec, datasets),
    ...(outliersOf(spec) ? [outliersOf(spec)] : []),
    // What earlier releases prepared of a pool has no statistics by instrument.
    ...(datasets.length > 1 ? ['by instrument/2'] : []),
  ];
}

async function prepare(
  deps: ActivityDeps,
  plan: PreparePlan,
  datasets: readonly CollectResult[],
): Promise<PreparedStep> {
  const bars: Bars[] = [];
  for (const { bars: ref, datasetHash } of datasets) {
    bars.push(await readBars(deps.artifacts, ref, datasetHash));
    // Pooled units read many files: the server must hear that this attempt is alive.
    Context.current().heartbeat();
  }
  const { prepared, summary, refit, folds } = prepareUnit(plan, bars);
  Context.current().heartbeat();
  // The refit's rows lie beside: the twin's fits are found again by the same data with another refit, or none.
  const stored = await deps.artifacts.put(encodePrepared(prepared), prepared.openTime.length);
  const rows = refit && (await deps.artifacts.put(encodeRefit(refit), refit.rows.length));
  const older: ArtifactRef[] = [];
  for (const fold of folds) {
    older.push(await deps.artifacts.put(encodeFold(fold), fold.split.test.length));
    Context.current().heartbeat();
  }
  return {
    prepared: stored,
    summary,
    ...(rows && { refit: rows }),
    ...(older.length > 0 && { folds: older }),
  };
}

const isoDate = (time: number): string => new Date(time).toISOString();

async function report(
  deps: ActivityDeps,
  { experimentId, unit }: BuildFeaturesInput,
  { summary: { samples, dropped, parts, valueDerived }, refit, folds }: PreparedStep,
  cached: boolean,
): Promise<void> {
  const described = Object.entries(parts).map(([name, part]) => [
    name,
    { rows: part.rows, from: isoDate(part.first), to: isoDate(part.last) },
  ]);
  await deps.events.append({
    experimentId,
    kind: 'stage',
    stage: 'features',
    model: unit.model,
    payload: {
      samples,
      dropped,
      split: Object.fromEntries(described),
      ...(refit && { refit: refit.rows }),
      ...(folds && { folds: folds.length + 1 }),
      ...(valueDerived && { valueDerived }),
      cached,
    },
    dedupeKey: `stage/features/${unit.model}`,
  });
}
