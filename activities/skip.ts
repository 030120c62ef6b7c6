import { modelFamilyOrThrow } from '../core/models/index.ts';
import type { RegisteredVersion } from '../core/models/registered.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import { registeredNames } from '../core/spec/registered-members.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { getJson, refOf, sha256OfUri } from '../registry/artifacts.ts';
import { experimentSpecOrThrow, getExperimentOrThrow } from '../registry/experiments.ts';
import { findFittingVersion, unitDatasetHash } from '../registry/fitting-version.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { SkipInput, SkipResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { memberFits } from './member-fits.ts';
import { calendarOfSpec } from './source-of.ts';

type Deps = Pick<
  ActivityDeps,
  'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock' | 'events'
>;

/** Row A11: no training where a model that fits the spec and the bars exists. */
export function createSkipActivities(deps: Deps) {
  return {
    async findFittingVersion(input: SkipInput): Promise<SkipResult> {
      const { experimentId, unit, datasets } = input;
      const spec = await experimentSpecOrThrow(deps.db, experimentId);
      // Before anything is computed: versions that are not there, or cannot be members.
      const members = await membersOf(deps, input, spec);
      if (spec.forceRetrain) return { skip: false };
      const { spec_hash: specHash } = await getExperimentOrThrow(deps.db, experimentId);
      const calendar = await calendarOfSpec(deps, spec);
      const newest = Math.max(...datasets.map(({ lastBar }) => Date.parse(lastBar)));
      const sessionOf = (time: number): number => calendar.indexOf(time, '1d');
      const fitting = await findFittingVersion(deps.db, {
        model: unit.model,
        specHash,
        datasetHash: unitDatasetHash(datasets),
        // The newest bar that these datasets hold, whatever the clock says: of a moment in the past (data.asOf)
        // a version trained on later bars is no version of that moment.
        newestBar: new Date(newest),
        maxAgeSessions: spec.retrain.maxAge,
        ageInSessions: (trainedThrough) => sessionOf(newest) - sessionOf(trainedThrough.getTime()),
      });
      if (!fitting) return { skip: false };
      // The same spec is another one where another champion is part of it.
      const made = members.length > 0 ? await madeOf(deps, unit.model, fitting.version) : [];
      if (JSON.stringify(made) !== JSON.stringify(members)) return { skip: false };
      await deps.events.append({
        experimentId,
        kind: 'note',
        stage: 'skip',
        model: unit.model,
        payload: { ...fitting },
        dedupeKey: `skip/${unit.model}`,
      });
      return { skip: true, ...fitting };
    },
  };
}

/** Registered versions that the spec makes its fits of. */
async function membersOf(
  deps: Deps,
  input: SkipInput,
  spec: ExperimentSpec,
): Promise<RegisteredVersion[]> {
  const { registered } = modelFamilyOrThrow(spec.family);
  if (registered === undefined) return [];
  const found = await memberFits(deps, input, registeredNames(spec), registered);
  return found.map(({ model, version }) => ({ model, version }));
}

/** Registered versions that a version is made of, in order. */
async function madeOf(deps: Deps, model: string, version: number): Promise<RegisteredVersion[]> {
  const { manifest_uri: uri } = await getVersionOrThrow(deps.db, model, version);
  if (uri === null) return [];
  const { members = [] } = manifestSchema.parse(
    await getJson(deps.artifacts, refOf(sha256OfUri(uri))),
  );
  return members.flatMap((member) =>
    'model' in member ? [{ model: member.model, version: member.version }] : [],
  );
}
