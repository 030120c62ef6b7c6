import type { Timeframe } from '../core/bars/bars.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import { decodeTestRows, TEST_ROWS, type StoredTestRows } from '../core/evaluation/index.ts';
import { type FeatureSet, packagedFeatureSet } from '../core/features/index.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import { lossWeightsOf } from '../core/spec/loss-weights.ts';
import type { MissingRules } from '../core/bars/index.ts';
import { missingRulesOf } from '../core/spec/missing-rules.ts';
import { experimentSpecSchema, type ExperimentSpec } from '../core/spec/spec.ts';
import { getJson, refOf, sha256OfUri } from '../registry/artifacts.ts';
import { currentChampion } from '../registry/champions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { getModelOrThrow } from '../registry/models.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

/** The version that is watched, and what a report must know of it. */
export interface WatchedVersion {
  readonly model: string;
  readonly number: number;
  readonly packageDigest: string;
  readonly instruments: readonly string[];
  readonly timeframe: Timeframe;
  readonly calendar: Calendar;
  readonly sources: ExperimentSpec['data']['sources'];
  readonly missing: MissingRules;
  readonly labelKind: string;
  readonly horizons: readonly number[];
  readonly lossWeights: readonly number[];
  /** null: this release no longer has the features that it reads. */
  readonly features: FeatureSet | null;
  /** End of the last label that it learnt from, ms UTC. */
  readonly trainedThrough: number;
  /** Bars that data may be late. */
  readonly expiresAfter: number;
  /** Sessions that it may be old. */
  readonly maxAge: number;
  readonly window: 'auto' | number;
  /** Of its evaluation (a refitted version's twin); null: from before they were kept. */
  readonly testRows: StoredTestRows | null;
}

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock'>;

/**
 * The version that serves a model. How it is watched follows the model's template where there is one, for that
 * can be changed; what it reads follows the experiment that made it. Throws `champion.none`.
 */
export async function watchedVersion(deps: Deps, model: string): Promise<WatchedVersion> {
  const champion = await currentChampion(deps.db, model);
  if (!champion) {
    throw new RatchetError(
      'champion.none',
      `nothing serves ${model} yet: there is nothing to watch`,
    );
  }
  const version = await getVersionOrThrow(deps.db, model, champion.version);
  const { manifest_uri: uri, package_digest: packageDigest } = version;
  if (uri === null || packageDigest === null) {
    throw new RatchetError(
      'monitor.package',
      `version ${version.version} of ${model} has no package`,
    );
  }
  const manifest = manifestSchema.parse(await getJson(deps.artifacts, refOf(sha256OfUri(uri))));
  const spec = await experimentSpecOrThrow(deps.db, version.experiment_id);
  const { template } = await getModelOrThrow(deps.db, model);
  const rules = template === null ? spec : experimentSpecSchema.parse(template);
  const attached = version.attachments.find(({ name }) => name === TEST_ROWS);
  return {
    model,
    number: version.version,
    packageDigest,
    instruments: manifest.instruments,
    timeframe: spec.data.timeframe,
    calendar: await calendarOfSpec(deps, spec),
    sources: spec.data.sources,
    missing: missingRulesOf(spec),
    labelKind: manifest.label.kind,
    horizons: manifest.label.horizons,
    lossWeights: lossWeightsOf(spec),
    features: packagedFeatureSet(manifest) ?? null,
    trainedThrough: Date.parse(manifest.trainedThrough),
    expiresAfter: spec.serving.expiresAfter,
    maxAge: rules.retrain.maxAge,
    window: rules.monitor.window,
    testRows: attached ? decodeTestRows(await deps.artifacts.get(attached)) : null,
  };
}
