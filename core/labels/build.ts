import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { LabelMatrix } from '../features/matrix.ts';
import type { ClassLabel, LabelKind, RegressionLabel } from './label.ts';

/** Horizons in bars, increasing, and the label kind's own settings. */
export interface LabelPlan {
  readonly kind: LabelKind;
  readonly horizons: readonly number[];
  readonly params: unknown;
}

/** One horizon of one instrument: for each bar the row of the bar its label looks at, -1 where there is none. */
interface Ahead {
  readonly close: Float64Array;
  readonly later: Int32Array;
  readonly horizon: number;
}

/**
 * Labels of every bar: horizon `h` looks at the bar that the calendar has `h` bars later. Where the
 * bars have none then (a hole, or the future), the label is unknown (NaN), never taken from another bar.
 */
export function buildLabels(plan: LabelPlan, bars: Bars, calendar: Calendar): LabelMatrix {
  const { kind, horizons } = plan;
  const rows = barCount(bars);
  const width = horizons.length;
  const values = new Float64Array(rows * width).fill(NaN);
  const changes = new Float64Array(rows * width).fill(NaN);
  const labelEnd = new Float64Array(rows).fill(NaN);
  const longest = Math.max(...horizons);
  for (const [k, horizon] of horizons.entries()) {
    const ahead = { close: bars.close, later: laterRows(bars, calendar, horizon), horizon };
    const column =
      kind.task === 'classification'
        ? classColumn(kind, plan.params, ahead)
        : valueColumn(kind, ahead);
    for (let row = 0; row < rows; row++) {
      const at = ahead.later[row]!;
      if (at < 0) continue;
      values[row * width + k] = column[row]!;
      changes[row * width + k] = bars.close[at]! / bars.close[row]! - 1;
      if (horizon === longest) labelEnd[row] = bars.openTime[at]!;
    }
  }
  return { horizons, rows, values, changes, labelEnd };
}

function valueColumn(kind: RegressionLabel, { close, later }: Ahead): Float64Array {
  return close.map((price, row) =>
    later[row]! < 0 ? NaN : kind.value(price, close[later[row]!]!),
  );
}

/** The whole horizon counts as the label's window, also where a barrier was met before its end. */
function classColumn(kind: ClassLabel, params: unknown, ahead: Ahead): Float64Array {
  const { close, later, horizon } = ahead;
  const reach = kind.thresholdBars(params);
  return close.map((price, row) => {
    const at = later[row]!;
    if (at < 0) return NaN;
    const known = close.subarray(Math.max(0, row + 1 - reach), row + 1);
    const threshold = kind.thresholdAfter(params, known, horizon);
    if (Number.isNaN(threshold)) return NaN;
    const changes = close.subarray(row + 1, at + 1).map((later) => later / price - 1);
    return kind.outcome(changes, threshold).of;
  });
}

/** Row of the bar `horizon` calendar bars after each row, -1 where there is none. */
function laterRows(bars: Bars, calendar: Calendar, horizon: number): Int32Array {
  const { openTime, timeframe } = bars;
  const rows = openTime.length;
  const later = new Int32Array(rows).fill(-1);
  let candidate = 0;
  for (let row = 0; row < rows; row++) {
    const target = calendar.addBars(openTime[row]!, horizon, timeframe);
    while (candidate < rows && openTime[candidate]! < target) candidate++;
    if (candidate < rows && openTime[candidate]! === target) later[row] = candidate;
  }
  return later;
}
