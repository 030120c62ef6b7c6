import type { Prepared } from '../core/features/prepared.ts';
import { RatchetError } from '../core/errors.ts';
import { knowledgeOfVersion, seenPart, type Knowledge } from '../core/models/knowledge.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { FitInput } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { championOf, versionFit } from './version-fit.ts';

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
  deps: Deps,
  { experimentId, unit, family }: Pick<FitInput, 'experimentId' | 'unit' | 'family'>,
  spec: ExperimentSpec,
): Promise<ParentFit | undefined> {
  if (family !== spec.family) return undefined;
  const { model } = unit;
  const version = await parentVersion(deps, { experimentId, model }, spec);
  if (version === undefined) return undefined;
  const found = await versionFit(deps, model, version);
  if (found === undefined) throw notKept(model, version);
  return { version, fitted: found.fitted, trainedThrough: found.trainedThrough };
}

/** Version that fits of the spec's family go on from; undefined where they begin anew. */
export async function parentVersion(
  deps: Deps,
  { experimentId, model }: { readonly experimentId: string; readonly model: string },
  { continueFrom }: ExperimentSpec,
): Promise<number | undefined> {
  if (continueFrom === undefined) return undefined;
  return continueFrom === 'champion' ? championOf(deps, experimentId, model) : continueFrom.version;
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
  prepared: Prepared,
): void {
  const seen = seenPart(knowledgeOfVersion(Date.parse(trainedThrough), knowledge), prepared);
  if (seen === undefined) return;
  const { part } = seen;
  const [knows, begins] = [seen.through, seen.begins].map((at) => new Date(at).toISOString());
  throw new RatchetError(
    'training.parent-leaks',
    `version ${version} has learnt labels up to ${knows}, and the ${part} part begins at ${begins}: ` +
      'it must be new to it; take a smaller part, or wait for newer bars',
    { details: { version, part, knows, begins } },
  );
}
