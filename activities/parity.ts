import { composeAlert, type Alert } from '../core/alerts/index.ts';
import { RatchetError } from '../core/errors.ts';
import { recordAlert } from '../registry/alerts.ts';
import { appendLifecycleEvent } from '../registry/lifecycle-events.ts';
import {
  beginParity,
  endParity,
  LATE_MS,
  parityReportOrThrow,
  SAMPLES,
  type ParityReport,
} from '../registry/parity.ts';
import { nightlyParityReport } from '../registry/parity-nights.ts';
import type {
  FailParityInput,
  OpenParityInput,
  ParityRef,
  ParityResult,
} from './contracts-parity.ts';
import { Replaying, type ReplayDeps } from './replay-predictions.ts';

/** One call; the workflow calls again while there is more. Well below the activity's time-out. */
const CALL_MS = 600_000;

/** Computes again what was served, by the code that served it. */
export function createParityActivities(deps: ReplayDeps) {
  return {
    /** Begins the report that was asked for, or that of a slot: all that was recorded since the one before. */
    async openParity({ model, asOf, reportId }: OpenParityInput): Promise<ParityRef> {
      const id = reportId ?? (await nightly(deps, model, asOf)).id;
      await beginParity(deps.db, id, deps.codeVersion);
      return { reportId: id };
    },

    /**
     * Goes on for some minutes. `done`: the report is completed, and an alert is on record where anything differs.
     * Errors: `parity.unknown`; `parity.ended` where somebody has failed the report.
     */
    async replayPredictions({ reportId }: ParityRef): Promise<ParityResult> {
      const report = await parityReportOrThrow(deps.db, reportId);
      if (report.status === 'failed') {
        const why = report.message ?? 'nobody says why';
        throw new RatchetError('parity.ended', `report ${reportId} has failed meanwhile: ${why}`);
      }
      if (report.status !== 'running') return resultOf(report, true);
      const replaying = new Replaying(deps, report);
      const done = await replaying.run(deps.clock() + CALL_MS);
      const now = { ...report, counts: replaying.counts };
      if (done) await complete(deps, now);
      return resultOf(now, done);
    },

    /** Says why in the report; of a night also in the story of the model, and to who is told of it. */
    async failParity({ reportId, reason, cancelled }: FailParityInput): Promise<void> {
      const report = await parityReportOrThrow(deps.db, reportId);
      const { slot, model } = report;
      if (slot !== null && cancelled !== true) {
        const about = { model, asOf: slot.toISOString(), reportId };
        await tell(deps, report, composeAlert('parity.failed', { ...about, reason }));
      }
      await endParity(deps.db, reportId, { status: 'failed', message: reason });
    },
  };
}

const nightly = ({ db }: ReplayDeps, model: string, slot: string): Promise<ParityReport> =>
  nightlyParityReport(db, new Date(slot), {
    ...{ model, lateMs: LATE_MS, samples: SAMPLES, actor: 'parity' },
  });

const resultOf = ({ id, counts }: ParityReport, done: boolean): ParityResult => ({
  ...{ reportId: id, done },
  ...{ replayed: counts.replayed, late: counts.late, different: counts.different },
});

async function complete({ db }: ReplayDeps, report: ParityReport): Promise<void> {
  const { id, model, counts } = report;
  const { different, replayed, byCause } = counts;
  if (different > 0) {
    const alert = composeAlert('parity.different', {
      ...{ model, asOf: report.served_to.toISOString(), reportId: id },
      ...{ different, replayed, byCause },
    });
    await tell({ db }, report, alert);
  }
  await endParity(db, id, { status: 'completed' });
}

/** Once, however often an activity repeats. */
async function tell(
  { db }: Pick<ReplayDeps, 'db'>,
  { id, model, slot, actor }: ParityReport,
  alert: Alert<'parity.different' | 'parity.failed'>,
): Promise<void> {
  await recordAlert(db, alert);
  const { event: kind, payload } = alert;
  await appendLifecycleEvent(db, {
    ...{ model, asOf: slot, kind, actor, words: payload.words },
    payload: payload.facts,
    dedupeKey: `${kind}/${id}`,
  });
}
