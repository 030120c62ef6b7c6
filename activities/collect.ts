import { Context } from '@temporalio/activity';
import { adjustBars } from '../core/bars/adjust.ts';
import { BAR_COLUMNS, barCount, sliceBars, TIMEFRAME_MS, type Bars } from '../core/bars/bars.ts';
import { barsBetween } from '../core/bars/build.ts';
import { barsCompleteBy } from '../core/bars/provisional.ts';
import {
  mergeSources,
  rankSources,
  type SourceDelivery,
  type SourcedBars,
} from '../core/bars/merge.ts';
import { joinSeries, type SourcedSeries } from '../core/bars/series.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { isoTime } from '../core/calendar/day.ts';
import { RatchetError } from '../core/errors.ts';
import { featureSetOf } from '../core/features/index.ts';
import { leadingArtefactRows, type QualityFinding } from '../core/quality/index.ts';
import { leadingArtefact } from '../core/quality/rules/leading-artefact.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { readBarsAsOf, readFactors } from '../registry/bars.ts';
import { writeDatasetVersion } from '../registry/datasets.impl.ts';
import { deliveriesOf, type DatasetDelivery } from '../registry/dataset-versions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { readPoints } from '../registry/series.ts';
import { cachedStep } from '../registry/step-cache.ts';
import type { Gathered } from './collect-source.ts';
import type { CollectInput, CollectResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { hasForeignBars, requireTimes, timingOf } from './exogenous-timing.ts';
import { gatherAll, isKnown, type Known } from './gather.ts';

/** Raised when the same stored bars give other dataset rows. */
const DATASET_STEP_VERSION = 'dataset/1';

type Frozen = Omit<CollectResult, 'cached'>;

/** Brings the bars of an instrument up to date and freezes them as a dataset version. */
export function createCollectActivities(deps: ActivityDeps) {
  return {
    async collect({ experimentId, instrument }: CollectInput): Promise<CollectResult> {
      const context = Context.current();
      const spec = await experimentSpecOrThrow(deps.db, experimentId);
      const gathered = await gatherAll(deps, spec, instrument, context);
      requireColumns(spec, gathered);
      context.heartbeat();
      const range = rangeOf(spec, instrument);
      const { result, cached } = await cachedStep(
        deps,
        {
          step: 'dataset',
          version: DATASET_STEP_VERSION,
          key: [
            instrument,
            spec.data.timeframe,
            // Only where it is set: what was frozen before there was one stays found.
            rangeKeyOf(range),
            gathered.filter(isKnown).map(keyOf),
            // Once they were joined by the time at which they open.
            ...(gathered.some(hasForeignBars) ? [{ exogenous: 'known' }] : []),
          ],
        },
        () => freeze(deps, spec, instrument, range, gathered),
      );
      await record(deps, experimentId, { ...result, cached }, gathered);
      return { ...result, cached };
    },
  };
}

interface Range {
  /** ISO dates, inclusive. */
  readonly from: string | null;
  readonly to: string | null;
  /** ms UTC: only what was complete and known then; undefined: all that is known now. */
  readonly asOf: number | undefined;
}

/** The range as it stands in keys and queries: without a moment as it always stood there. */
function rangeKeyOf({ from, to, asOf }: Range): object {
  return { from, to, ...(asOf !== undefined && { asOf: isoTime(asOf) }) };
}

function rangeOf(spec: ExperimentSpec, instrument: string): Range {
  const own = spec.data.instruments.find(({ id }) => id === instrument);
  if (!own) throw new RatchetError('spec.instrument', `the spec has no instrument ${instrument}`);
  const from = ('from' in own ? own.from : undefined) ?? spec.data.from ?? null;
  const to = ('to' in own ? own.to : undefined) ?? spec.data.to ?? null;
  const { asOf } = spec.data;
  return { from, to, asOf: asOf === undefined ? undefined : Date.parse(asOf) };
}

const keyOf = ({ use, series, state }: Known): unknown[] => [use.role, series.source, state];

async function freeze(
  deps: ActivityDeps,
  spec: ExperimentSpec,
  instrument: string,
  range: Range,
  gathered: readonly Gathered[],
): Promise<Frozen> {
  const findings: QualityFinding[] = [];
  const parts: SourcedBars[] = [];
  for (const source of gathered.filter(isKnown)) {
    if (source.columns) continue;
    const calendar = calendarFor(source.calendar);
    const bars = await adjustedBars(deps, source, range, calendar);
    const artefacts = leadingArtefactRows(bars, calendar);
    if (artefacts > 0) findings.push(...artefactFindings(bars, artefacts, source.use.dataset));
    parts.push({
      name: source.use.dataset,
      role: source.use.role,
      bars: artefacts > 0 ? sliceBars(bars, artefacts) : bars,
      timing: timingOf(deps, source),
    });
  }
  requireTimes(parts, gathered.filter(isKnown));
  const bare = mergeSources(parts);
  if (!bare || barCount(bare.bars) === 0) {
    throw noBars(instrument, range);
  }
  const series = await seriesOf(deps, gathered.filter(isKnown), range);
  const merged = joinSeries(bare, series, calendarOfBars(parts, gathered.filter(isKnown)));
  const { bars } = merged;
  const deliveredBy = wordsOf(merged.deliveredBy, gathered);
  const version = await writeDatasetVersion(deps.db, deps.artifacts, {
    bars,
    query: {
      range: rangeKeyOf(range),
      timeframe: spec.data.timeframe,
      sources: gathered.filter(isKnown).map(keyOf),
      adjusted: 'as of the last bar',
    },
    deliveredBy,
    deliveries: merged.deliveredBy.map(deliveryRow),
  });
  return {
    instrument,
    datasetHash: version.hash,
    bars: version.artifact,
    firstBar: isoTime(bars.openTime[0]!),
    lastBar: isoTime(bars.openTime[barCount(bars) - 1]!),
    deliveredBy,
    findings,
  };
}

/** The series among the sources, as they were known at the range's moment. */
function seriesOf(
  { db }: ActivityDeps,
  known: readonly Known[],
  { asOf }: Range,
): Promise<SourcedSeries[]> {
  const found = known.flatMap(({ use, series, columns }) =>
    columns ? [{ name: use.dataset, columns, series }] : [],
  );
  return Promise.all(
    found.map(async ({ series, ...rest }) => ({
      ...rest,
      points: await readPoints(db, series, { asOf }),
    })),
  );
}

/** The calendar that the merged bars close by: that of the source that leads. */
function calendarOfBars(parts: readonly SourcedBars[], known: readonly Known[]): Calendar {
  const lead = rankSources(parts)[0]!;
  return calendarFor(known.find(({ use }) => use.dataset === lead.name)!.calendar);
}

/** A misspelt column would have no value for ever: what a source that answered does not have is the spec's mistake. */
function requireColumns(spec: ExperimentSpec, gathered: readonly Gathered[]): void {
  const read = featureSetOf(spec.features).columns.flatMap(({ use }) => use.exogenous);
  for (const { use, series, columns } of gathered) {
    if (use.role !== 'exogenous' || !series) continue;
    const offered = columns?.map(({ name }) => name) ?? BAR_COLUMNS;
    const names = offered.map((name) => `${use.dataset}.${name}`);
    const missing = read.filter(
      (name) => name.slice(0, name.lastIndexOf('.')) === use.dataset && !names.includes(name),
    );
    if (missing.length === 0) continue;
    const message = `dataset ${use.dataset} has no column ${missing.join(', ')}; it has: ${names.join(', ')}`;
    throw new RatchetError('collect.column', message);
  }
}

/** Who delivered, in words: how many bars each where there are several, and what no market made. */
function wordsOf(deliveries: readonly SourceDelivery[], gathered: readonly Gathered[]): string {
  const words = ({ name, rows }: SourceDelivery): string => {
    const simulated = gathered.some(({ use, simulated: made }) => made && use.dataset === name);
    const facts = [
      ...(deliveries.length > 1 ? [String(rows)] : []),
      ...(simulated ? ['simulated'] : []),
    ];
    return facts.length > 0 ? `${name} (${facts.join(', ')})` : name;
  };
  return deliveries.map(words).join(', ');
}

function deliveryRow({ name, role, rows, ranges, moreRanges }: SourceDelivery): DatasetDelivery {
  const spans = ranges.map((range) => ({
    from: isoTime(range.from),
    to: isoTime(range.to),
    rows: range.rows,
  }));
  return { dataset: name, role, rows, ranges: spans, moreRanges };
}

function noBars(instrument: string, { from, to, asOf }: Range): RatchetError {
  const asked = `${from ?? 'the beginning'}..${to ?? 'now'}`;
  const known = asOf === undefined ? '' : ` that were known at ${new Date(asOf).toISOString()}`;
  const change = asOf === undefined ? 'data.from, data.to' : 'data.from, data.to, data.asOf';
  return new RatchetError(
    'collect.noBars',
    `no bars of ${instrument} in ${asked}${known}; take another range (${change}) or source`,
  );
}

/**
 * Bars of a stored series in the range, adjusted as of the last of them. Of a moment in the past: the revisions and
 * factors that were known then, and no bar that had not closed, so that the answer does not depend on when it is asked.
 */
async function adjustedBars(
  deps: ActivityDeps,
  source: Known,
  range: Range,
  calendar: Calendar,
): Promise<Bars> {
  const from = range.from === null ? Number.NEGATIVE_INFINITY : Date.parse(range.from);
  // `to` names a whole day, and is inclusive.
  const to =
    range.to === null ? Number.POSITIVE_INFINITY : Date.parse(range.to) + TIMEFRAME_MS['1d'];
  const { asOf } = range;
  const known = barsBetween(await readBarsAsOf(deps.db, source.series, asOf), from, to);
  const bars = asOf === undefined ? known : barsCompleteBy(known, calendar, asOf);
  const last = bars.openTime.at(-1);
  if (last === undefined) return bars;
  return adjustBars(bars, await readFactors(deps.db, source.series, asOf), last);
}

function artefactFindings(bars: Bars, rows: number, dataset: string): QualityFinding[] {
  return [
    {
      rule: leadingArtefact.name,
      severity: 'warn',
      message: `the first ${rows} bars of ${dataset} were launch artefacts and were trimmed`,
      count: rows,
      rows: Array.from(bars.openTime.subarray(0, Math.min(rows, 20)), isoTime),
    },
  ];
}

async function record(
  deps: ActivityDeps,
  experimentId: string,
  result: CollectResult,
  gathered: readonly Gathered[],
): Promise<void> {
  await deps.events.append({
    experimentId,
    kind: 'stage',
    stage: 'collect',
    payload: {
      instrument: result.instrument,
      rows: result.bars.rows ?? 0,
      firstBar: result.firstBar,
      lastBar: result.lastBar,
      deliveredBy: result.deliveredBy,
      deliveries: await deliveriesOf(deps.db, result.datasetHash),
      cached: result.cached,
      sources: gathered.map(({ use, status, reused, rows, notes, error }) => ({
        dataset: use.dataset,
        role: use.role,
        status,
        reused,
        rows,
        notes,
        ...(error && { error: error.message }),
      })),
    },
    dedupeKey: `collect/${result.instrument}`,
  });
}
