import { instrumentAt, instrumentScalers } from '../core/features/instrument-scaling.ts';
import type { Prepared } from '../core/features/prepared.ts';
import { regressionLabelOrThrow } from '../core/labels/index.ts';
import type { ConfidenceCalibration } from '../core/packages/manifest.ts';
import { fitConfidence, summariseSamples } from '../core/predict/index.ts';
import type { CalibrationWindow, MonteCarloRunner } from '../core/predict/index.ts';
import { windowAt } from './package-windows.ts';

/** Any fixed text: which samples the calibration saw has no meaning for those that are served. */
const CALIBRATION_NOISE_KEY = 'calibration';

/** How windows of the prepared data are sampled. */
export interface Sampling {
  readonly prepared: Prepared;
  readonly monteCarlo: MonteCarloRunner;
  readonly samples: number;
  /** Called before each window: heartbeat, and where a cancel is noticed. */
  readonly onWindow: () => Promise<void>;
}

/**
 * What forecast, samples and outcome were at some rows. `forecasts` are learnt units, row-major
 * [rows x horizons].
 */
export async function sampleWindows(
  { prepared, monteCarlo, samples, onWindow }: Sampling,
  rows: Int32Array,
  forecasts: Float64Array,
): Promise<CalibrationWindow[]> {
  const label = regressionLabelOrThrow(prepared.labelKind);
  const horizons = prepared.horizons.length;
  const windows: CalibrationWindow[] = [];
  const own = instrumentScalers(prepared);
  for (const [i, row] of rows.entries()) {
    await onWindow();
    const forecast = forecasts.slice(i * horizons, (i + 1) * horizons);
    const instrument = instrumentAt(prepared, row);
    const scalers = own?.[instrument] ?? prepared.scalers;
    const drawn = await monteCarlo.sample({
      instrument,
      window: windowAt(prepared, row),
      samples,
      noiseKey: CALIBRATION_NOISE_KEY,
    });
    windows.push({
      forecast,
      actual: prepared.labels.slice(row * horizons, (row + 1) * horizons),
      summary: summariseSamples(drawn, forecast, label, scalers.labels),
    });
  }
  return windows;
}

/** Calibration of a unit on windows of its validation part. */
export function calibrate(
  windows: readonly CalibrationWindow[],
  prepared: Prepared,
  options: Pick<ConfidenceCalibration, 'method' | 'samples' | 'noiseWidth'>,
): ConfidenceCalibration {
  return fitConfidence(windows, {
    ...options,
    horizons: prepared.horizons.length,
    label: regressionLabelOrThrow(prepared.labelKind),
  });
}
