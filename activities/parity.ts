import { composeAlert } from '../core/alerts/index.ts';
import { recordAlert } from '../registry/alerts.ts';
import {
  beginParity,
  endParity,
  LATE_MS,
  parityDoneUntil,
  parityReportOrThrow,
  SAMPLES,
  slotParityReport,
  type ParityReport,
} from '../registry/parity.ts';
import type {
  FailParityInput,
  OpenParityInput,
  ParityRef,
  ParityResult,
} from './contracts-parity.ts';
import { Replaying, type ReplayDeps } from './replay-predictions.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Predictions wait in a replica's spool for half a second, or until the database is back. */
const GRACE_MS = 600_000;
/** A night begins so much before the end of the one before it: what was recorded late is replayed after all. */
const OVERLAP_MS = HOUR_MS;
/** Nights that were left out are made up for, as far as this. */
const CATCH_UP_MS = 7 * DAY_MS;
/** One call; the workflow calls again while there is more. Well below the activity's time-out. */
const CALL_MS = 600_000;

/** Computes again what was served, by the code that served it. */
export function createParityActivities(deps: ReplayDeps) {
  return {
    /** Begins the report that was asked for, or that of a slot: all since the slot before, at most a week. */
    async openParity({ model, asOf, reportId }: OpenParityInput): Promise<ParityRef> {
      const id = reportId ?? (await slotReport(deps, model, new Date(asOf))).id;
      await beginParity(deps.db, id, deps.codeVersion);
      return { reportId: id };
    },

    /** Goes on for some minutes. `done`: the report is completed, and an alert is on record where anything differs. */
    async replayPredictions({ reportId }: ParityRef): Promise<ParityResult> {
      const report = await parityReportOrThrow(deps.db, reportId);
      if (report.status !== 'running') return resultOf(report, true);
      const replaying = new Replaying(deps, report);
      const done = await replaying.run(deps.clock() + CALL_MS);
      const now = { ...report, counts: replaying.counts };
      if (done) await complete(deps, now);
      return resultOf(now, done);
    },

    async failParity({ reportId, reason }: FailParityInput): Promise<void> {
      await endParity(deps.db, reportId, { status: 'failed', message: reason });
    },
  };
}

const resultOf = ({ id, counts }: ParityReport, done: boolean): ParityResult => ({
  ...{ reportId: id, done },
  ...{ replayed: counts.replayed, late: counts.late, different: counts.different },
});

async function slotReport({ db }: ReplayDeps, model: string, slot: Date): Promise<ParityReport> {
  const to = slot.getTime() - GRACE_MS;
  const before = (await parityDoneUntil(db, model, slot))?.getTime();
  const from = Math.max(Math.min(before ?? Infinity, to - DAY_MS), to - CATCH_UP_MS);
  return slotParityReport(db, slot, {
    ...{ model, lateMs: LATE_MS, samples: SAMPLES, actor: 'parity' },
    from: new Date(from - OVERLAP_MS),
    to: new Date(to),
  });
}

async function complete({ db }: ReplayDeps, report: ParityReport): Promise<void> {
  const { id, model, counts } = report;
  const { different, replayed, byCause } = counts;
  if (different > 0) {
    const alert = composeAlert('parity.different', {
      ...{ model, asOf: report.served_to.toISOString(), reportId: id },
      ...{ different, replayed, byCause },
    });
    await recordAlert(db, alert);
  }
  await endParity(db, id, { status: 'completed' });
}
