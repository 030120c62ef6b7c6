import { calendarFor } from '../core/calendar/index.ts';
import { experimentSpecOrThrow, getExperimentOrThrow } from '../registry/experiments.ts';
import { findFittingVersion, unitDatasetHash } from '../registry/fitting-version.ts';
import type { SkipInput, SkipResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';

/** Row A11: no training where a model that fits the spec and the bars exists. */
export function createSkipActivities(deps: Pick<ActivityDeps, 'db' | 'datasets' | 'events'>) {
  return {
    async findFittingVersion(input: SkipInput): Promise<SkipResult> {
      const { experimentId, unit, datasets } = input;
      const spec = await experimentSpecOrThrow(deps.db, experimentId);
      if (spec.forceRetrain) return { skip: false };
      const { spec_hash: specHash } = await getExperimentOrThrow(deps.db, experimentId);
      const calendar = calendarFor(calendarNameOf(deps, spec.data.sources));
      const { timeframe } = spec.data;
      const newest = Math.max(...datasets.map(({ lastBar }) => Date.parse(lastBar)));
      const newestIndex = calendar.indexOf(newest, timeframe);
      const fitting = await findFittingVersion(deps.db, {
        model: unit.model,
        specHash,
        datasetHash: unitDatasetHash(datasets),
        maxAgeBars: spec.retrain.maxAge,
        ageInBars: (trainedThrough) =>
          newestIndex - calendar.indexOf(trainedThrough.getTime(), timeframe),
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

/** What an uploaded file trades by: exchange days, unless a named dataset says otherwise. */
const UPLOAD_CALENDAR = 'nyse';

function calendarNameOf(
  deps: Pick<ActivityDeps, 'datasets'>,
  sources: readonly { readonly dataset: string; readonly role: string }[],
): string {
  const primary = sources.find(({ role }) => role === 'primary') ?? sources[0];
  return deps.datasets.get(primary?.dataset ?? '')?.calendar ?? UPLOAD_CALENDAR;
}
