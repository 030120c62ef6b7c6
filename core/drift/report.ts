/** One drift report from all that was measured: what it says, in words, and whether it asks for a retrain. */
import {
  driftReportSchema,
  type DriftReason,
  type DriftReport,
  type DriftVerdict,
  type InputDrift,
  type PredictionDrift,
  type QualityDrift,
  type RankVerdict,
  type Staleness,
} from './schemas.ts';
import { correctionWords, wordsOf } from './words.ts';

export interface DriftReportInput {
  readonly model: string;
  readonly version: number;
  /** Market time, ms UTC. */
  readonly asOf: number;
  /** null: no loss has ever been settled. */
  readonly performance: DriftReport['performance'];
  /** One entry an instrument of the scope, as the next three. */
  readonly inputs: readonly { readonly instrument: string; readonly drift: InputDrift }[];
  readonly predictions: readonly { readonly instrument: string; readonly drift: PredictionDrift }[];
  readonly quality: readonly { readonly instrument: string; readonly drift: QualityDrift }[];
  readonly staleness: readonly { readonly instrument: string; readonly staleness: Staleness }[];
  /** `inputVerdict` of the report before this one; null: there is none. */
  readonly previousInputVerdict: RankVerdict | null;
}

/** Points of a path that a report keeps: a year of days. */
const PATH_POINTS = 400;

/**
 * The report. Signals: `loss` where the loss monitor alarmed since the report before, `stale` where the model is older
 * than its limit, `input-twice` where the inputs drifted in this report and in the one before. Verdict: `drift` on
 * `loss` or `input-twice`; `warn` on anything else that was found (input drift once, forecasts, data quality, late
 * bars, an old model); `notCalibrated` where nothing was found but the losses cannot be judged yet; else `none`.
 * Throws (a ZodError) on figures that JSON cannot hold.
 */
export function driftReport(input: DriftReportInput): DriftReport {
  const { performance, previousInputVerdict } = input;
  const inputVerdict = verdictOfAll(input.inputs.map(({ drift }) => drift.verdict));
  const signals = signalsOf(input, inputVerdict);
  const facts = {
    model: input.model,
    version: input.version,
    asOf: new Date(input.asOf).toISOString(),
    verdict: verdictOf(input, inputVerdict, signals),
    signals,
    inputVerdict,
    previousInputVerdict,
    correction: correctionWords(input.inputs),
    performance: performance && trimmed(performance),
    inputs: [...input.inputs],
    predictions: [...input.predictions],
    quality: [...input.quality],
    staleness: [...input.staleness],
  };
  return driftReportSchema.parse({ ...facts, words: wordsOf(facts) });
}

function trimmed(performance: NonNullable<DriftReport['performance']>): typeof performance {
  const { path, reference } = performance;
  const newest = <T>(points: readonly T[]): T[] => points.slice(-PATH_POINTS);
  return {
    ...performance,
    path: newest(path),
    ...(reference && { reference: { ...reference, path: newest(reference.path) } }),
  };
}

/**
 * Several instruments as one: `drift` where at least half of them drifted. Each alone is wrong in a share a of its
 * windows at most, so at least half of them are in 2a at most, however they move together (Rueger 1978).
 */
export function verdictOfAll(verdicts: readonly RankVerdict[]): RankVerdict {
  const judged = verdicts.filter((verdict) => verdict !== 'notEnoughHistory');
  if (judged.length === 0) return 'notEnoughHistory';
  const drifted = judged.filter((verdict) => verdict === 'drift').length;
  return 2 * drifted >= judged.length ? 'drift' : 'none';
}

function signalsOf(
  { performance, staleness, previousInputVerdict }: DriftReportInput,
  inputVerdict: RankVerdict,
): DriftReason[] {
  const signals: DriftReason[] = [];
  const calibrated = performance?.calibration.status === 'calibrated';
  if (calibrated && performance.alarms.length > 0) signals.push('loss');
  if (staleness.some(({ staleness: { modelStale } }) => modelStale)) signals.push('stale');
  if (inputVerdict === 'drift' && previousInputVerdict === 'drift') signals.push('input-twice');
  return signals;
}

function verdictOf(
  input: DriftReportInput,
  inputVerdict: RankVerdict,
  signals: readonly DriftReason[],
): DriftVerdict {
  if (signals.includes('loss') || signals.includes('input-twice')) return 'drift';
  const late = input.staleness.some(({ staleness }) => staleness.dataStale);
  const others = [
    inputVerdict,
    verdictOfAll(input.predictions.map(({ drift }) => drift.verdict)),
    verdictOfAll(input.quality.map(({ drift }) => drift.verdict)),
  ];
  if (late || signals.length > 0 || others.includes('drift')) return 'warn';
  return input.performance?.calibration.status === 'calibrated' ? 'none' : 'notCalibrated';
}
