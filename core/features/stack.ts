import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import { fillMissing, type MissingRules } from '../bars/index.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { buildLabels, type LabelSpec } from '../labels/index.ts';
import { buildFeatures } from './build.ts';
import type { FeatureSet } from './feature-set.ts';
import type { FeatureMatrix, LabelMatrix } from './matrix.ts';

/** Its rules say what stands in features for bars that were not recorded; labels never look at such a bar. */
interface StackPlan extends MissingRules {
  readonly set: FeatureSet;
  readonly lookback: number;
  readonly label: LabelSpec;
  readonly calendar: Calendar;
}

interface InstrumentRows {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly features: FeatureMatrix;
  readonly labels: LabelMatrix;
}

/** Rows of all instruments of a unit, one instrument after the other. */
export type Stacked = ReturnType<typeof stack>;

export function stack(plan: StackPlan, recorded: readonly Bars[]) {
  const { calendar, set } = plan;
  const pool = recorded.map((bars) => fillMissing(bars, calendar, plan, set.warmupBars));
  const rows = pool.reduce((sum, bars) => sum + barCount(bars), 0);
  if (pool.length === 0 || rows === 0) {
    throw new RatchetError('features.noBars', 'there are no bars to build features of');
  }
  const width = set.names.length;
  const h = plan.label.horizons.length;
  const openTime = new Float64Array(rows);
  const close = new Float64Array(rows);
  const open = new Float64Array(rows);
  const features = new Float64Array(rows * width);
  const labels = new Float64Array(rows * h);
  const changes = new Float64Array(rows * h);
  const labelEnd = new Float64Array(rows);
  const instruments: InstrumentRows[] = [];
  let from = 0;
  for (const [i, bars] of pool.entries()) {
    const to = from + barCount(bars);
    const room = features.subarray(from * width, to * width);
    const matrix = buildFeatures(set, bars, calendar, room);
    const labelled = labelsOnRecorded(plan, recorded[i]!, bars);
    openTime.set(bars.openTime, from);
    close.set(bars.close, from);
    open.set(recordedOpens(recorded[i]!, bars), from);
    labels.set(labelled.values, from * h);
    changes.set(labelled.changes, from * h);
    labelEnd.set(labelled.labelEnd, from);
    instruments.push({ id: bars.instrument, from, to, features: matrix, labels: labelled });
    from = to;
  }
  return { openTime, open, close, features, labels, changes, labelEnd, instruments };
}

/**
 * Labels of the rows of `filled`, from recorded bars alone: a price that a policy invented is neither
 * where a forecast is made nor what came of it, in training as in serving. Other rows are unknown.
 */
function labelsOnRecorded(plan: StackPlan, recorded: Bars, filled: Bars): LabelMatrix {
  const labels = buildLabels(plan.label, recorded, plan.calendar);
  if (filled === recorded) return labels;
  const h = labels.horizons.length;
  const rows = barCount(filled);
  const values = new Float64Array(rows * h).fill(NaN);
  const changes = new Float64Array(rows * h).fill(NaN);
  const labelEnd = new Float64Array(rows).fill(NaN);
  for (let row = 0, from = 0; row < rows; row++) {
    const time = filled.openTime[row]!;
    while (from < labels.rows && recorded.openTime[from]! < time) from++;
    if (recorded.openTime[from] !== time) continue;
    values.set(labels.values.subarray(from * h, (from + 1) * h), row * h);
    changes.set(labels.changes.subarray(from * h, (from + 1) * h), row * h);
    labelEnd[row] = labels.labelEnd[from]!;
  }
  return { horizons: labels.horizons, rows, values, changes, labelEnd };
}

/** First prices of the rows of `filled`; NaN where the bar was not recorded: nobody could have traded there. */
function recordedOpens(recorded: Bars, filled: Bars): Float64Array {
  if (filled === recorded) return recorded.open;
  const open = new Float64Array(barCount(filled)).fill(NaN);
  for (let row = 0, from = 0; row < open.length; row++) {
    const time = filled.openTime[row]!;
    while (from < barCount(recorded) && recorded.openTime[from]! < time) from++;
    if (recorded.openTime[from] === time) open[row] = recorded.open[from]!;
  }
  return open;
}

/** End rows of windows that are warm in every row and whose labels are all known. */
export function sampleRows(plan: StackPlan, instruments: readonly InstrumentRows[]): Int32Array {
  const rows: number[] = [];
  const width = plan.set.names.length;
  const h = plan.label.horizons.length;
  for (const { id, from, features, labels } of instruments) {
    requireFinite(id, features, width);
    const first = features.firstWarmRow + plan.lookback - 1;
    for (let row = first; row < features.rows; row++) {
      let known = true;
      for (let k = row * h; k < (row + 1) * h; k++) known &&= Number.isFinite(labels.values[k]!);
      if (known) rows.push(from + row);
    }
  }
  return Int32Array.from(rows);
}

/** A warm row with a value that is not finite would poison a fit silently; bars are to blame. */
function requireFinite(id: string, { firstWarmRow, values, names }: FeatureMatrix, width: number) {
  for (let at = firstWarmRow * width; at < values.length; at++) {
    if (Number.isFinite(values[at]!)) continue;
    const row = Math.floor(at / width);
    const feature = names[at % width]!;
    throw new RatchetError(
      'features.notFinite',
      `feature ${feature} of ${id} is not finite in bar ${row}: the bars have values that no ` +
        'missing policy filled, or prices that are not above 0',
      { details: { instrument: id, row, feature } },
    );
  }
}
