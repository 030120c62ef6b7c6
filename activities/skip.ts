import { experimentSpecOrThrow, getExperimentOrThrow } from '../registry/experiments.ts';
import { findFittingVersion, unitDatasetHash } from '../registry/fitting-version.ts';
import type { SkipInput, SkipResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
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
