/** The loss monitor on the bundled indices: a forecast of no change, which cannot become worse. */
import type { Bars } from '../../core/bars/bars.ts';
import { calibrateCusum } from '../../core/drift/calibrate.ts';
import { runCusum, startCusum } from '../../core/drift/cusum.ts';
import {
  blockOf,
  ewmaVariance,
  lossVariance,
  normalisedLosses,
  varianceFloor,
} from '../../core/drift/normalised-loss.ts';
import { nasdaq, sp500 } from '../support/example-bars.ts';
import { HISTORY } from './drift-protocol.ts';

const WARM_UP = 60;
const YEAR = 252;

export interface RealCount {
  readonly instrument: string;
  readonly horizon: number;
  readonly years: number;
  /** With the product's variance, and with that known at the decision only. */
  readonly alarms: number;
  readonly alarmsKnown: number;
}

/** Calibrated on the first thousand losses (1999-2003), watched until the end of 2018. */
export function realCounts(): readonly RealCount[] {
  return [sp500(), nasdaq()].flatMap((bars) =>
    [1, 7, 30].map((horizon) => ({
      instrument: bars.instrument,
      horizon,
      years: (bars.close.length - WARM_UP - HISTORY) / YEAR,
      alarms: alarmsOf(bars, horizon, lossVariance),
      alarmsKnown: alarmsOf(bars, horizon, (returns) => ewmaVariance(returns)),
    })),
  );
}

function alarmsOf(
  { close, openTime }: Bars,
  horizon: number,
  varianceOf: (returns: Float64Array, horizon: number) => Float64Array,
): number {
  const returns = close.map((price, t) => Math.log(price / (close[t - 1] ?? NaN)));
  const loss = close.map((price, t) => Math.log((close[t + horizon] ?? NaN) / price) ** 2);
  const variance = varianceOf(returns, horizon);
  const floor = varianceFloor(variance.subarray(0, WARM_UP + HISTORY));
  const u = normalisedLosses({ losses: [{ horizon, weight: 1, loss }], variance, floor });
  const known = u.subarray(WARM_UP, WARM_UP + HISTORY);
  const block = blockOf(horizon, '1d');
  const calibration = calibrateCusum(known, { perYear: YEAR, block, seed: 1, floor });
  if (calibration.status === 'notCalibrated') throw new Error(calibration.reason);
  const rows = {
    times: openTime.subarray(WARM_UP + HISTORY),
    values: u.subarray(WARM_UP + HISTORY),
  };
  return runCusum(startCusum(), rows, calibration).alarms.length;
}
