import type { Bars, Timeframe } from '../core/bars/bars.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { seriesSource } from '../registry/collections.ts';
import {
  deliveredSource,
  readServedBars,
  shapeOf,
  type ServedSource,
} from '../registry/served-bars.ts';
import type { ActivityDeps } from './deps.ts';

export interface SeriesAsOf {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  /** Of the spec that the version was made by. */
  readonly sources: ExperimentSpec['data']['sources'];
  /** ms UTC: bars as they were known then. */
  readonly asOf: number;
}

/**
 * All bars of an instrument as serving had them at an instant of the past: the newest revisions known by then,
 * adjusted as of the last of them, sources merged. A dataset that the operator took away is left out.
 */
export async function barsAsOf(
  deps: Pick<ActivityDeps, 'db' | 'datasets'>,
  { instrument, timeframe, sources, asOf }: SeriesAsOf,
): Promise<Bars> {
  const served: ServedSource[] = [];
  for (const { dataset, role } of sources) {
    const known = deps.datasets.get(dataset);
    const uploaded = dataset.startsWith('upload:');
    const source = known
      ? seriesSource(known)
      : uploaded
        ? await deliveredSource(deps.db, dataset, instrument, timeframe)
        : undefined;
    if (source === undefined) continue;
    served.push({ dataset, role, source, ...(known && shapeOf(known)) });
  }
  const range = { last: Number.MAX_SAFE_INTEGER, before: asOf };
  return (await readServedBars(deps.db, instrument, timeframe, served, range)).bars;
}
