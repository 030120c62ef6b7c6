import { RatchetError } from '../errors.ts';
import type { BacktestResult } from './result.ts';

type Curve = BacktestResult['curve'];

/**
 * The curve in `rows` rows at most, for a chart: runs of equal length, of each the row with the lowest equity, so that
 * no drawdown looks smaller; the first and the last row always. Figures are to be taken from the whole result.
 * Errors: `backtest.rows` below 3.
 */
export function thinCurve(curve: Curve, rows: number): Curve {
  const { length } = curve.time;
  if (!(rows >= 3)) throw new RatchetError('backtest.rows', `3 rows at least, not ${rows}`);
  if (length <= rows) return curve;
  const kept = [0];
  const runs = Math.floor(rows) - 2;
  for (let run = 0; run < runs; run++) {
    const from = 1 + Math.floor((run * (length - 2)) / runs);
    const to = 1 + Math.floor(((run + 1) * (length - 2)) / runs);
    let lowest = from;
    for (let t = from; t < to; t++) if (curve.equity[t]! < curve.equity[lowest]!) lowest = t;
    kept.push(lowest);
  }
  kept.push(length - 1);
  const pick = (column: readonly number[]): number[] => kept.map((t) => column[t]!);
  return {
    time: pick(curve.time),
    equity: pick(curve.equity),
    drawdown: pick(curve.drawdown),
    exposure: pick(curve.exposure),
    costs: pick(curve.costs),
    turnover: pick(curve.turnover),
    buyAndHold: pick(curve.buyAndHold),
  };
}
