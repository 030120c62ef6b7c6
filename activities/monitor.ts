import { Context } from '@temporalio/activity';
import { alertsOfReport } from '../core/alerts/index.ts';
import { barCount, type Bars } from '../core/bars/bars.ts';
import {
  driftReport,
  renderDriftReport,
  type DriftReport,
  type RankVerdict,
} from '../core/drift/index.ts';
import { RatchetError } from '../core/errors.ts';
import { recordAlert } from '../registry/alerts.ts';
import { recordedForecasts } from '../registry/drift-history.ts';
import {
  driftReportBefore,
  driftReportId,
  getDriftReport,
  recordDriftReport,
  type DriftReportRow,
} from '../registry/drift.ts';
import { inTransaction } from '../registry/in-transaction.ts';
import { appendLifecycleEvent } from '../registry/lifecycle-events.ts';
import { barsAsOf } from './bars-as-of.ts';
import type { AtSlot, MonitorResult } from './contracts-lifecycle.ts';
import type { ActivityDeps } from './deps.ts';
import {
  wantedForecasts,
  watchAge,
  watchInputs,
  watchPredictions,
  watchQuality,
} from './monitor-inputs.ts';
import { beforeReport, watchLosses, type LossWatch } from './monitor-losses.ts';
import { watchedVersion, type WatchedVersion } from './monitor-version.ts';

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock' | 'log'>;

/** Looks whether the champion still does what it was promoted for. */
export function createMonitorActivities(deps: Deps) {
  return {
    /**
     * The drift report of the serving version at an instant of market time. One report a version and instant: a
     * repeat, or another call at the same time, gives the one that was stored first. No clock but `asOf` is read.
     *
     * Permanent errors: `champion.none`, `monitor.asOf`, `monitor.noBars`.
     */
    async monitor({ model, asOf }: AtSlot): Promise<MonitorResult> {
      const at = instantOf(asOf);
      await breathe();
      const version = await watchedVersion(deps, model);
      const id = driftReportId(model, version.number, at);
      const made = await getDriftReport(deps.db, model, id);
      return resultOf(made ?? (await makeReport(deps, version, at)));
    },
  };
}

function instantOf(asOf: string): Date {
  const at = new Date(asOf);
  if (!Number.isNaN(at.getTime())) return at;
  throw new RatchetError('monitor.asOf', `${JSON.stringify(asOf)} is no instant`);
}

/** Reports liveness, lets the process do other work, and throws where the activity was cancelled. */
async function breathe(): Promise<void> {
  const context = Context.current();
  context.heartbeat();
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (context.cancellationSignal.aborted) await context.cancelled;
}

async function makeReport(deps: Deps, version: WatchedVersion, at: Date): Promise<DriftReportRow> {
  const { model, number } = version;
  const asOf = at.getTime();
  const bars = await barsOfScope(deps, version, asOf);
  const previous = await driftReportBefore(deps.db, model, number, at);
  const before = previous ? beforeReport(previous) : null;
  const losses = await watchLosses(deps, version, bars, asOf, before);
  await breathe();
  const parts = await partsOf(deps, version, bars, asOf);
  const report = driftReport({
    model,
    version: number,
    asOf,
    performance: losses.performance,
    ...parts,
    previousInputVerdict: previousVerdict(version, previous, asOf),
  });
  const words = [...report.words, ...losses.notes, ...scopeNotes(version, bars)];
  return store(deps, version, at, { ...report, words }, { losses, previous });
}

/** Bars of every instrument of the scope that has any; one without is told of in the words. */
async function barsOfScope(
  deps: Deps,
  { model, instruments, timeframe, sources }: WatchedVersion,
  asOf: number,
): Promise<ReadonlyMap<string, Bars>> {
  const found = new Map<string, Bars>();
  for (const instrument of instruments) {
    const bars = await barsAsOf(deps, { instrument, timeframe, sources, asOf });
    if (barCount(bars) > 0) found.set(instrument, bars);
    await breathe();
  }
  if (found.size > 0) return found;
  const time = new Date(asOf).toISOString();
  throw new RatchetError('monitor.noBars', `no bar of ${model} was known at ${time}`);
}

type Parts = Pick<
  Parameters<typeof driftReport>[0],
  'inputs' | 'predictions' | 'quality' | 'staleness'
>;

async function partsOf(
  deps: Deps,
  version: WatchedVersion,
  scope: ReadonlyMap<string, Bars>,
  asOf: number,
): Promise<Parts> {
  const { model, number } = version;
  const parts = {
    inputs: [] as Parts['inputs'][number][],
    predictions: [] as Parts['predictions'][number][],
    quality: [] as Parts['quality'][number][],
    staleness: [] as Parts['staleness'][number][],
  };
  for (const [instrument, bars] of scope) {
    const inputs = watchInputs(version, bars);
    if (inputs) parts.inputs.push({ instrument, drift: inputs });
    await breathe();
    const recorded = await recordedForecasts(deps.db, {
      model,
      version: number,
      instrument,
      through: bars.openTime.at(-1)!,
      limit: wantedForecasts(version),
    });
    const predictions = watchPredictions(version, instrument, recorded);
    if (predictions) parts.predictions.push({ instrument, drift: predictions });
    parts.quality.push({ instrument, drift: watchQuality(version, bars) });
    parts.staleness.push({ instrument, staleness: watchAge(version, bars, asOf) });
    await breathe();
  }
  return parts;
}

/**
 * What the report before this one said of the inputs. Two reports of one session see the same bars: the second is
 * no second finding.
 */
function previousVerdict(
  { calendar }: WatchedVersion,
  previous: DriftReportRow | undefined,
  asOf: number,
): RankVerdict | null {
  if (!previous) return null;
  const session = (time: number): number => calendar.indexOf(time, '1d');
  if (session(previous.as_of.getTime()) === session(asOf)) return null;
  return (previous.report as DriftReport).inputVerdict;
}

function scopeNotes(
  { features, instruments, number }: WatchedVersion,
  bars: ReadonlyMap<string, Bars>,
): string[] {
  const silent = instruments.filter((instrument) => !bars.has(instrument));
  return [
    ...silent.map((instrument) => `No bar of ${instrument} was known: it is not watched.`),
    ...(features === null
      ? [
          `Version ${number} reads features that this release no longer builds: its inputs are not watched.`,
        ]
      : []),
  ];
}

async function store(
  deps: Deps,
  { model, number }: WatchedVersion,
  asOf: Date,
  report: DriftReport,
  {
    losses,
    previous,
  }: { readonly losses: LossWatch; readonly previous?: DriftReportRow | undefined },
): Promise<DriftReportRow> {
  const { verdict, signals, words } = report;
  const page = await deps.artifacts.put(new TextEncoder().encode(renderDriftReport(report)));
  const { row, added } = await inTransaction(deps.db, async (trx) => {
    const recorded = await recordDriftReport(trx, {
      model,
      version: number,
      asOf,
      verdict,
      signals,
      words,
      report,
      state: losses.state,
      page,
    });
    if (recorded.added && isNews(recorded.row, previous)) {
      await appendLifecycleEvent(trx, {
        model,
        asOf,
        kind: 'drift.report',
        version: number,
        actor: 'monitor',
        words: words[0]!,
        payload: { report: recorded.row.id, verdict, signals },
        dedupeKey: `drift.report/${recorded.row.id}`,
      });
    }
    const about = { model, version: number, asOf: asOf.toISOString(), reportId: recorded.row.id };
    const alerts = alertsOfReport({ ...about, signals, words }, previous?.signals ?? []);
    for (const alert of recorded.added ? alerts : []) await recordAlert(trx, alert);
    return recorded;
  });
  if (added) deps.log.info({ model, version: number, asOf, verdict, signals }, 'drift report');
  return row;
}

const resultOf = ({ id, verdict, signals, words }: DriftReportRow): MonitorResult => ({
  reportId: id,
  verdict,
  signals: signals as MonitorResult['signals'],
  words,
});

/** A verdict that stays is told once; each report of it is kept all the same. */
function isNews(report: DriftReportRow, previous: DriftReportRow | undefined): boolean {
  if (report.verdict !== 'warn' && report.verdict !== 'drift') return false;
  const told = ({ verdict, signals }: DriftReportRow): string => `${verdict} ${signals.join()}`;
  return previous === undefined || told(previous) !== told(report);
}
