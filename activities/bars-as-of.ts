import type { Bars, Timeframe } from '../core/bars/bars.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { readServedBars, servedSourcesOf } from '../registry/served-bars.ts';
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
  const served = await servedSourcesOf(deps.db, deps.datasets, { instrument, timeframe, sources });
  const range = { last: Number.MAX_SAFE_INTEGER, before: asOf };
  return (await readServedBars(deps.db, instrument, timeframe, served, range)).bars;
}
