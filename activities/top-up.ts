import { Context } from '@temporalio/activity';
import { CLOSE_GRACE_MS, type Timeframe } from '../core/bars/index.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { RatchetError } from '../core/errors.ts';
import { SLOT_MS } from '../core/outcomes/settle-prediction.ts';
import { sourceOrThrow } from '../core/sources/index.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { lastDelivery, seriesSource, seriesState } from '../registry/collections.ts';
import { evaluationOrThrow, fixKnowledge } from '../registry/evaluations.ts';
import { dataOfVersions, liveVersions, newestBar, type LiveVersion } from '../registry/top-up.ts';
import { gatherSource } from './collect-source.ts';
import type { EvaluationRef, TopUpEvaluatedResult } from './contracts-evaluation.ts';
import type { AtSlot, TopUpResult } from './contracts-lifecycle.ts';
import type { ActivityDeps, NamedDataset } from './deps.ts';
import { whileBeating } from './heartbeat.ts';
import { openSeries, openSource } from './source-of.ts';

/** A source that does not answer is asked again this often; then settling goes on with what is stored. */
const ATTEMPTS = 3;

type Use = ExperimentSpec['data']['sources'][number];

interface Series {
  readonly use: Use;
  readonly instrument: string;
  readonly timeframe: Timeframe;
}

/**
 * Brings the bars of a model's instruments up to market time: those of the champion and of the version on
 * trial, from the sources of their experiments. Where the stored bars reach it already nothing is asked, so that a replay
 * of the past costs nothing.
 */
export function createTopUpActivities(deps: ActivityDeps) {
  return {
    async topUpBars({ model, asOf }: AtSlot): Promise<TopUpResult> {
      const context = Context.current();
      const { newestBar, newRows } = await whileBeating(context, async () =>
        topUp(deps, model, await liveVersions(deps.db, model), Date.parse(asOf), context),
      );
      return { newestBar, newRows };
    },

    /**
     * The same for the versions of an evaluation, with what could not be brought, in words. What was brought on the way is
     * known from its arrival on: the evaluation reads what is known once this ended, however often it is repeated.
     */
    async topUpEvaluated({ evaluationId }: EvaluationRef): Promise<TopUpEvaluatedResult> {
      const context = Context.current();
      const { model, version, champion, ...row } = await evaluationOrThrow(deps.db, evaluationId);
      const numbers = champion === null ? [version] : [version, champion];
      const versions = await dataOfVersions(deps.db, model, numbers);
      const { failures } = await whileBeating(context, () =>
        topUp(deps, model, versions, row.as_of.getTime(), context),
      );
      const now = Math.max(deps.clock(), row.as_of.getTime());
      await fixKnowledge(deps.db, evaluationId, new Date(now));
      return { missing: [...new Set(failures.map(({ message }) => message))] };
    },
  };
}

interface ToppedUp extends TopUpResult {
  /** Of sources that brought nothing newer. */
  readonly failures: readonly RatchetError[];
}

async function topUp(
  deps: ActivityDeps,
  model: string,
  versions: readonly LiveVersion[],
  asOf: number,
  context: Context,
): Promise<ToppedUp> {
  let newest = -Infinity;
  let newRows = 0;
  const failures: RatchetError[] = [];
  for (const series of await seriesOf(deps, versions)) {
    const found = await topUpSeries(deps, series, asOf, context.cancellationSignal);
    newRows += found.newRows;
    if (series.use.role !== 'exogenous') newest = Math.max(newest, found.newest ?? -Infinity);
    if (found.error) {
      const { instrument, use } = series;
      const fields = { model, instrument, dataset: use.dataset, err: found.error };
      deps.log.warn(fields, 'a source brought no newer bars');
      failures.push(found.error);
    }
  }
  const passing = failures.find((error) => !error.permanent);
  // A bar that comes late is settled late: no source may stop the slot for ever.
  if (passing && context.info.attempt < ATTEMPTS) throw passing;
  const newestBar = Number.isFinite(newest) ? new Date(newest).toISOString() : null;
  return { newestBar, newRows, failures };
}

/** Each series once, though several versions read it. */
async function seriesOf(deps: ActivityDeps, versions: readonly LiveVersion[]): Promise<Series[]> {
  const found = new Map<string, Series>();
  for (const { instruments, data } of versions) {
    for (const instrument of instruments) {
      for (const use of await usedSources(deps, data, instrument)) {
        const series = { use, instrument, timeframe: data.timeframe };
        found.set(JSON.stringify([use.dataset, instrument, data.timeframe]), series);
      }
    }
  }
  return [...found.values()];
}

/**
 * The sources that a version reads: without its substitutes, unless it was trained on the bars of one because the others had
 * none. Those are not asked then: their bars would take the place of the substitute's under a model that never saw them.
 */
async function usedSources(
  deps: ActivityDeps,
  data: ExperimentSpec['data'],
  instrument: string,
): Promise<readonly Use[]> {
  const proper = data.sources.filter(({ role }) => role !== 'substitute');
  if (proper.length === data.sources.length) return proper;
  const stored = async ({ dataset: name }: Use): Promise<boolean> => {
    const dataset = deps.datasets.get(name);
    if (!dataset) return false;
    const series = { instrument, timeframe: data.timeframe, source: seriesSource(dataset) };
    return (await newestBar(deps.db, series)) !== undefined;
  };
  for (const use of proper) if (use.role !== 'exogenous' && (await stored(use))) return proper;
  const standIns: Use[] = [];
  for (const use of data.sources) {
    if (use.role === 'exogenous') standIns.push(use);
    else if (use.role === 'substitute' && (await stored(use))) standIns.push(use);
  }
  return standIns.some(({ role }) => role === 'substitute') ? standIns : proper;
}

interface Found {
  /** Newest bar known at `asOf`; see `SLOT_MS`. */
  readonly newest: number | undefined;
  readonly newRows: number;
  readonly error?: RatchetError;
}

async function topUpSeries(
  deps: ActivityDeps,
  { use, instrument, timeframe }: Series,
  asOf: number,
  signal: AbortSignal,
): Promise<Found> {
  const columns = use.role === 'exogenous' ? openSeries(deps, use.dataset) : undefined;
  if (columns)
    return topUpColumns(deps, { use, instrument, timeframe }, columns.dataset, asOf, signal);
  let opened: Awaited<ReturnType<typeof openSource>>;
  try {
    opened = await openSource(deps, use.dataset);
  } catch (error) {
    // A dataset that the operator took away: its stored bars are what there is.
    if (!(error instanceof RatchetError && error.permanent)) throw error;
    return { newest: undefined, newRows: 0, error };
  }
  const { dataset } = opened;
  const key = { dataset: dataset.name, source: seriesSource(dataset), instrument, timeframe };
  const delayMs = CLOSE_GRACE_MS[timeframe] + sourceOrThrow(dataset.source).declaredDelayMs;
  const published = newestPublished(calendarFor(dataset.calendar), timeframe, asOf - delayMs);
  const stored = await newestBar(deps.db, key);
  if (stored !== undefined && stored >= published) {
    return { newest: await newestBar(deps.db, key, asOf + SLOT_MS), newRows: 0 };
  }
  const before = await seriesState(deps.db, key);
  const request = { use, instrument, timeframe, recollect: true, signal };
  const { error } = await gatherSource(deps, request);
  const after = await seriesState(deps.db, key);
  const newest = await newestBar(deps.db, key, asOf + SLOT_MS);
  const newRows = Number(BigInt(after) - BigInt(before));
  return { newest, newRows, ...(error && { error }) };
}

/** Series have no bar that says up to when they are complete: they are asked again where nobody did since `asOf`. */
async function topUpColumns(
  deps: ActivityDeps,
  { use, instrument, timeframe }: Series,
  dataset: NamedDataset,
  asOf: number,
  signal: AbortSignal,
): Promise<Found> {
  const key = { dataset: dataset.name, source: seriesSource(dataset), instrument, timeframe };
  const last = await lastDelivery(deps.db, key);
  if (last !== undefined && last >= asOf) return { newest: undefined, newRows: 0 };
  const before = await seriesState(deps.db, key);
  const request = { use, instrument, timeframe, recollect: true, signal };
  const { error } = await gatherSource(deps, request);
  const newRows = Number(BigInt(await seriesState(deps.db, key)) - BigInt(before));
  return { newest: undefined, newRows, ...(error && { error }) };
}

/** Open time of the calendar's newest bar that had closed at `time`. */
function newestPublished(calendar: Calendar, timeframe: Timeframe, time: number): number {
  for (let index = calendar.indexOf(time, timeframe); ; index--) {
    const openTime = calendar.openTimeAt(index, timeframe);
    if (calendar.closeTime(openTime, timeframe) <= time) return openTime;
  }
}
