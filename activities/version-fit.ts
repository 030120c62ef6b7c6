import type { Manifest } from '../core/packages/manifest.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import { getJson, refOf, sha256OfUri } from '../registry/artifacts.ts';
import { championAt } from '../registry/champions.ts';
import { getExperimentOrThrow } from '../registry/experiments.ts';
import { findFit } from '../registry/step-cache.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { ActivityDeps } from './deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'artifacts'>;

/** The evaluated fit of a registered version that another fit is made from. */
export interface VersionFit {
  readonly manifest: Manifest;
  /** Its fit bundle; of a refitted version its twin's, which has not seen what the next test part is made of. */
  readonly fitted: ArtifactRef;
  /** ISO: the last bar whose label it used for anything. */
  readonly trainedThrough: string;
}

/** undefined where its weights are not kept as one fit. Throws `version.unknown`. */
export async function versionFit(
  { db, artifacts }: Deps,
  model: string,
  number: number,
): Promise<VersionFit | undefined> {
  const { manifest_uri: uri } = await getVersionOrThrow(db, model, number);
  if (uri === null) return undefined;
  const manifest = manifestSchema.parse(await getJson(artifacts, refOf(sha256OfUri(uri))));
  const { weightsDigest, trainedThrough } = manifest.refit?.twin ?? manifest;
  const fitted = await findFit(db, manifest.family, weightsDigest);
  return fitted && { manifest, fitted, trainedThrough };
}

/** Number of the version that served a model when the experiment was made, whatever is promoted meanwhile; undefined: none. */
export async function championOf(
  { db }: Pick<ActivityDeps, 'db'>,
  experimentId: string,
  model: string,
): Promise<number | undefined> {
  const { created_at: madeAt } = await getExperimentOrThrow(db, experimentId);
  return (await championAt(db, model, madeAt))?.version;
}
