import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Bars } from '../core/bars/bars.ts';
import { CLOSE_GRACE_MS } from '../core/bars/provisional.ts';
import {
  blockOf,
  calibrateCusum,
  calibrationSchema,
  cusumStateSchema,
  lossVariance,
  runCusum,
  settlingBars,
  startCusum,
  varianceFloor,
  type Calibration,
  type CalibrationResult,
  type CusumPoint,
  type CusumState,
  type DriftReport,
} from '../core/drift/index.ts';
import { lossesByTime, monitoredSeries, type MonitoredSeries } from '../core/drift/loss-history.ts';
import type { StoredTestRows } from '../core/evaluation/index.ts';
import { driftCalibration, keepDriftCalibration } from '../registry/drift.ts';
import { settledForecasts } from '../registry/drift-history.ts';
import { settledAsOf } from '../registry/lifecycle-state.ts';
import type { ActivityDeps } from './deps.ts';
import { lossRowsOf } from './monitor-loss-rows.ts';
import type { WatchedVersion } from './monitor-version.ts';

type Deps = Pick<ActivityDeps, 'db'>;
type Performance = NonNullable<DriftReport['performance']>;

/** What the report before this one left. */
export interface BeforeReport {
  readonly state: CusumState | null;
  readonly path: readonly CusumPoint[];
}

export interface LossWatch {
  readonly performance: Performance;
  /** State of the test after this report; null: not calibrated. */
  readonly state: CusumState | null;
  /** What else a reader must know, in sentences. */
  readonly notes: readonly string[];
}

/**
 * The sequential test of a version's realised losses up to `asOf` (ms UTC): calibrated once, on its own out-of-sample
 * losses (test rows, then trials, then answers as far as they are needed), then stepped over what was settled since the
 * report before. Values depend on market time alone, so that late, skipped or repeated reports find the same alarms.
 */
export async function watchLosses(
  deps: Deps,
  version: WatchedVersion,
  bars: ReadonlyMap<string, Bars>,
  asOf: number,
  before: BeforeReport | null,
): Promise<LossWatch> {
  const { model, number } = version;
  const kept = await driftCalibration(deps.db, model, number);
  const calibrated = kept && keptSchema.parse(kept.calibration);
  const history = await ownLosses(deps, version, bars, asOf, {
    after: calibrated ? Date.parse(calibrated.through) : version.trainedThrough,
    testRows: calibrated ? null : version.testRows,
  });
  const made = calibrated ?? (await calibrate(deps, version, history));
  const unit = version.timeframe === '1d' ? ('bar' as const) : ('day' as const);
  if (!('through' in made)) {
    const performance = { unit, calibration: made, state: startCusum(), path: [], alarms: [] };
    return { performance, state: null, notes: [] };
  }
  const { calibration, through } = made;
  const series = history.series(calibration.floor ?? 0);
  const start = before?.state ?? { ...startCusum(), lastTime: through };
  const run = runCusum(start, series, calibration);
  const thin = series.thinDays.filter((day) => day > Date.parse(start.lastTime ?? through));
  const path = [...(before?.path ?? []), ...run.path];
  return {
    performance: { unit, calibration, state: run.state, path, alarms: [...run.alarms] },
    state: run.state,
    notes: notesOf(run.path.length, history.waiting, thin.length),
  };
}

/** Reads the state and path that a stored report carries on. */
export function beforeReport(row: {
  readonly state: unknown;
  readonly report: unknown;
}): BeforeReport {
  const { performance } = row.report as DriftReport;
  const state = row.state === null ? null : cusumStateSchema.parse(row.state);
  return { state, path: performance?.path ?? [] };
}

const keptSchema = z.object({ calibration: calibrationSchema, through: z.iso.datetime() });

interface Calibrated {
  readonly calibration: Calibration;
  /** Time of the last value that it rests on: the test goes on behind it. */
  readonly through: string;
}

interface LossHistory {
  readonly series: (floor: number) => MonitoredSeries;
  /** Floor of the variance from the rows up to a decision time, ms UTC. */
  readonly floorThrough: (time: number) => number;
  /** Decision time of the first answer that it gave as champion, ms UTC; Infinity: none. */
  readonly servedFrom: number;
  /** Settled forecasts that are left out because others of their time are still open. */
  readonly waiting: number;
}

async function ownLosses(
  { db }: Deps,
  version: WatchedVersion,
  bars: ReadonlyMap<string, Bars>,
  asOf: number,
  from: { readonly after: number; readonly testRows: StoredTestRows | null },
): Promise<LossHistory> {
  const { model, number, timeframe, calendar } = version;
  const { after, testRows } = from;
  const settled = await settledForecasts(db, { model, version: number, knownBy: asOf, after });
  const settledBy = (await settledAsOf(db, model))?.getTime() ?? -Infinity;
  const bound = decidedThrough(version, bars, Math.min(asOf, settledBy));
  const final = settled.filter(({ time }) => time <= bound);
  const horizon = Math.max(...version.horizons);
  const variances = new Map([...bars].map(([id, series]) => [id, varianceOf(series, horizon)]));
  const rows = lossRowsOf(version, testRows, final, variances);
  const lastTest = testRows?.openTime.reduce((a, b) => Math.max(a, b), -Infinity) ?? -Infinity;
  const through = Math.max(
    Number.isFinite(bound) ? calendar.closeTime(bound, timeframe) : -Infinity,
    // The test part is settled as a whole: the end of its last day.
    lastTest + 86_400_000,
  );
  const champion = settled.find(({ role }) => role === 'champion');
  return {
    series: (floor) => monitoredSeries(lossesByTime(rows, floor), timeframe, through),
    floorThrough: (time) =>
      varianceFloor(rows.variance.filter((_, row) => rows.time[row]! <= time)),
    servedFrom: champion?.time ?? Infinity,
    waiting: settled.length - final.length,
  };
}

/** Last decision time of which every loss can be judged at `at`: by the calendar, and by the bars there are. */
function decidedThrough(
  { calendar, timeframe, horizons, expiresAfter }: WatchedVersion,
  bars: ReadonlyMap<string, Bars>,
  at: number,
): number {
  if (!Number.isFinite(at)) return -Infinity;
  const known = at - CLOSE_GRACE_MS[timeframe];
  const index = calendar.indexOf(known, timeframe);
  const open = calendar.closeTime(calendar.openTimeAt(index, timeframe), timeframe) > known;
  const complete = index - (open ? 1 : 0);
  const newest = [...bars.values()]
    .map(({ openTime }) => calendar.indexOf(openTime.at(-1)!, timeframe))
    .map((last) => Math.min(last, complete));
  // An instrument that stopped must not hold up the others.
  const alive = newest.filter((last) => complete - last <= expiresAfter);
  const last = alive.length > 0 ? Math.min(...alive) : Math.max(...newest);
  const decided = last - settlingBars(Math.max(...horizons));
  return decided < 0 ? -Infinity : calendar.openTimeAt(decided, timeframe);
}

/** What losses of decisions at each bar are divided by, by open time. */
function varianceOf({ openTime, close }: Bars, horizon: number): ReadonlyMap<number, number> {
  const returns = close.map((price, i) => (i === 0 ? NaN : Math.log(price / close[i - 1]!)));
  const variance = lossVariance(returns, horizon);
  return new Map(Array.from(openTime, (time, i) => [time, variance[i]!]));
}

/**
 * All values from before it answered; where those are too few, its first answers too. What comes later is
 * left to the test, else a model that drifted before its first report would be calibrated on its drift.
 */
async function calibrate(
  { db }: Deps,
  version: WatchedVersion,
  history: LossHistory,
): Promise<Calibrated | Exclude<CalibrationResult, Calibration>> {
  const { model, number, packageDigest, timeframe, calendar, horizons, testRows } = version;
  const options = {
    perYear: Math.round(calendar.barsPerYear('1d')),
    block: blockOf(Math.max(...horizons), timeframe),
    seed: Number.parseInt(packageDigest.slice(0, 8), 16),
  };
  const made = (through: number): CalibrationResult => {
    // The floor too rests on nothing later, lest the day of the first report move the threshold.
    const floor = history.floorThrough(through);
    const { times, values } = history.series(floor);
    const used = values.filter((_, i) => times[i]! <= through);
    return calibrateCusum(used, { ...options, floor });
  };
  const { times } = history.series(history.floorThrough(Infinity));
  let through = times.findLast((time) => time < history.servedFrom) ?? -Infinity;
  let result = made(through);
  if (result.status === 'notCalibrated') {
    through = times[Math.min(times.length, result.needed) - 1] ?? -Infinity;
    result = made(through);
  }
  if (result.status === 'notCalibrated') {
    if (testRows !== null) return result;
    const reason = `${result.reason}: version ${number} was evaluated before test rows were kept, so that only what it answered counts`;
    return { ...result, reason };
  }
  const series = history.series(result.floor ?? 0);
  const used = series.times.filter((time) => time <= through).length;
  const key = createHash('sha256')
    .update(series.times.slice(0, used))
    .update(series.values.slice(0, used))
    .digest('hex');
  const row = await keepDriftCalibration(db, {
    model,
    version: number,
    packageDigest,
    key,
    calibration: { calibration: result, through: new Date(through).toISOString() },
  });
  return keptSchema.parse(row.calibration);
}

function notesOf(stepped: number, waiting: number, thin: number): string[] {
  const notes: string[] = [];
  if (stepped === 0) {
    const open = waiting > 0 ? `; ${waiting} settled forecasts wait for others of their time` : '';
    notes.push(
      `No loss was settled since the report before, so the loss test has nothing new to say${open}.`,
    );
  }
  if (thin > 0) {
    const days = thin === 1 ? '1 day has' : `${thin} days have`;
    notes.push(
      `${days} settled forecasts for fewer than half of the hours; a mean of so few is left out of the loss test.`,
    );
  }
  return notes;
}
