import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import type { LabelMatrix } from '../features/matrix.ts';
import { forwardLogReturn } from './forward-log-return.ts';
import { forwardPrice } from './forward-price.ts';
import { forwardReturn } from './forward-return.ts';
import type { LabelKind } from './label.ts';

export type { LabelKind } from './label.ts';

/** All label kinds. A new one: a file in this folder and a line here. */
export const labelKinds: readonly LabelKind[] = [forwardLogReturn, forwardReturn, forwardPrice];

/** Looks a label kind up; throws `labels.unknown` with the names that exist. */
export function labelKindOrThrow(name: string): LabelKind {
  const found = labelKinds.find((kind) => kind.name === name);
  if (found === undefined) {
    const known = labelKinds.map((kind) => kind.name);
    throw new RatchetError(
      'labels.unknown',
      `no label kind is named "${name}"; there are ${known.join(', ')}`,
      { details: { name, known } },
    );
  }
  return found;
}

/** Which label over which horizons, in bars, increasing. */
export interface LabelSpec {
  readonly kind: string;
  readonly horizons: readonly number[];
}

/**
 * Labels of every bar: horizon `h` looks at the bar that the calendar has `h` bars later. Where the
 * bars have none then (a hole, or the future), the label is unknown (NaN), never taken from another bar.
 */
export function buildLabels(label: LabelSpec, bars: Bars, calendar: Calendar): LabelMatrix {
  const kind = labelKindOrThrow(label.kind);
  const rows = barCount(bars);
  const { horizons } = label;
  const values = new Float64Array(rows * horizons.length).fill(NaN);
  const labelEnd = new Float64Array(rows).fill(NaN);
  const longest = Math.max(...horizons);
  for (const [k, horizon] of horizons.entries()) {
    const later = laterRows(bars, calendar, horizon);
    for (let row = 0; row < rows; row++) {
      const at = later[row]!;
      if (at < 0) continue;
      values[row * horizons.length + k] = kind.value(bars.close[row]!, bars.close[at]!);
      if (horizon === longest) labelEnd[row] = bars.openTime[at]!;
    }
  }
  return { horizons, rows, values, labelEnd };
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
