import { composeAlert, type Alert } from './alert.ts';

/** What a drift report says, as far as alerts are concerned. */
export interface ReportedDrift {
  readonly model: string;
  readonly version: number;
  /** Market time, ISO. */
  readonly asOf: string;
  readonly reportId: string;
  readonly signals: readonly string[];
  /** The verdict first. */
  readonly words: readonly string[];
}

const STALE = 'stale';

/**
 * Alerts of a drift report: drift and age are told when they begin. A signal that the report before it
 * had as well is no news.
 *
 * @param before signals of the version's former report; empty: there was none, or it had none
 */
export function alertsOfReport(report: ReportedDrift, before: readonly string[]): readonly Alert[] {
  const { signals, words, ...about } = report;
  const fresh = signals.filter((signal) => !before.includes(signal));
  const reasons = words.slice(0, 1);
  return [
    ...(fresh.some((signal) => signal !== STALE)
      ? [composeAlert('drift.detected', { ...about, reasons })]
      : []),
    ...(fresh.includes(STALE)
      ? [composeAlert('model.stale', { ...about, reason: reasons.join(' ') })]
      : []),
  ];
}
