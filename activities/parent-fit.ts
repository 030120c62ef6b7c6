import type { Prepared } from '../core/features/prepared.ts';
import { RatchetError } from '../core/errors.ts';
import type { Knowledge } from '../core/models/knowledge.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { getJson, refOf, sha256OfUri } from '../registry/artifacts.ts';
import { championAt } from '../registry/champions.ts';
import { getExperimentOrThrow } from '../registry/experiments.ts';
import { findFit } from '../registry/step-cache.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { FitInput } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';

/** The evaluated fit of a version that another fit goes on from. */
export interface ParentFit {
  readonly version: number;
  /** Its fit bundle. */
  readonly fitted: ArtifactRef;
  /** ISO: the last bar whose label it used for anything. */
  readonly trainedThrough: string;
}

type Deps = Pick<ActivityDeps, 'db' | 'artifacts'>;

/**
 * What `continueFrom` of the spec means for this fit; undefined where it begins anew: baselines, and a model that had no
 * champion when the experiment was made. Of a refitted version it is the twin, which has not seen what the next test
 * part is made of. Same experiment, same answer, whatever is promoted meanwhile.
 * Throws `version.unknown`, `training.parent` where the weights are not kept as one fit.
 */
export async function parentFit(
  { db, artifacts }: Deps,
  { experimentId, unit, family }: Pick<FitInput, 'experimentId' | 'unit' | 'family'>,
  spec: ExperimentSpec,
): Promise<ParentFit | undefined> {
  const { continueFrom } = spec;
  if (continueFrom === undefined || family !== spec.family) return undefined;
  const { model } = unit;
  let number: number | undefined;
  if (continueFrom === 'champion') {
    const { created_at: madeAt } = await getExperimentOrThrow(db, experimentId);
    number = (await championAt(db, model, madeAt))?.version;
  } else number = continueFrom.version;
  if (number === undefined) return undefined;
  const version = await getVersionOrThrow(db, model, number);
  if (version.manifest_uri === null) throw notKept(model, number);
  const file = await getJson(artifacts, refOf(sha256OfUri(version.manifest_uri)));
  const manifest = manifestSchema.parse(file);
  const { weightsDigest, trainedThrough } = manifest.refit?.twin ?? manifest;
  const fitted = await findFit(db, manifest.family, weightsDigest);
  if (fitted === undefined) throw notKept(model, number);
  return { version: number, fitted, trainedThrough };
}

const notKept = (model: string, version: number): RatchetError =>
  new RatchetError(
    'training.parent',
    `the weights of version ${version} of ${model} are not kept as those of one fit ` +
      '(it is a mean of seeds, or was deleted): train afresh, without continueFrom',
    { details: { model, version } },
  );

/**
 * Throws `training.parent-leaks` where the parent (or whatever it went on from) knew labels of the part that the child is
 * tested on, or was fitted on labels of the part that chooses its epoch and calibrates its confidence.
 */
export function assertUntested(
  { version, trainedThrough }: ParentFit,
  knowledge: Knowledge | undefined,
  { split, openTime }: Prepared,
): void {
  const known = Math.max(Date.parse(trainedThrough), knowledge?.knownThrough ?? -Infinity);
  // A bundle of an earlier release does not say where its training part ended: all that it knew counts as fitted.
  const fitted = knowledge?.fittedThrough ?? known;
  const parts = [
    { part: 'test', rows: split.test, through: known },
    { part: 'validation', rows: split.valid, through: fitted },
  ];
  for (const { part, rows, through } of parts) {
    const first = rows[0];
    if (first === undefined || through < openTime[first]!) continue;
    const [knows, begins] = [through, openTime[first]!].map((at) => new Date(at).toISOString());
    throw new RatchetError(
      'training.parent-leaks',
      `version ${version} has learnt labels up to ${knows}, and the ${part} part begins at ${begins}: ` +
        'it must be new to it; take a smaller part, or wait for newer bars',
      { details: { version, part, knows, begins } },
    );
  }
}
