import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  autoWindow,
  driftReport,
  inputDrift,
  renderDriftReport,
  type DriftColumns,
} from '../../../core/drift/index.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { timedSide, type Measure } from '../measure.ts';

const COLUMNS = 46;
const ROWS = 10_000;
/** More than a fifth: enough for the domain classifier to be asked. */
const MOVED = 12;
const MOVE = 0.5;
const HOUR_MS = 3_600_000;
/** As the monitor chooses it for so many hours: a month, or what leaves 24 windows before it. */
const WINDOW = autoWindow(2 * ROWS, 730)!;

/** Normal noise, hour by hour; in the newest month some columns have moved. */
function columns(): DriftColumns {
  const uniform = seededUniform(5);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const values = new Float64Array(2 * ROWS * COLUMNS);
  for (let at = 0; at < values.length; at++) {
    const newest = at >= (2 * ROWS - WINDOW) * COLUMNS;
    const moved = newest && at % COLUMNS < MOVED;
    values[at] = normal() + (moved ? MOVE : 0);
  }
  return {
    names: Array.from({ length: COLUMNS }, (_, i) => `f${i}`),
    rows: 2 * ROWS,
    openTime: Float64Array.from({ length: 2 * ROWS }, (_, hour) => hour * HOUR_MS),
    values,
  };
}

/** As the monitor makes it: the JSON that is recorded and the page that is stored. */
function stored(of: DriftColumns): readonly string[] {
  const report = driftReport({
    ...{ model: 'measured', version: 1, asOf: of.rows * HOUR_MS, performance: null },
    inputs: [
      { instrument: 'NOISE', drift: inputDrift(of, { window: WINDOW, classifier: 'whenNeeded' }) },
    ],
    ...{ predictions: [], quality: [], staleness: [], previousInputVerdict: null },
  });
  return [JSON.stringify(report), renderDriftReport(report)];
}

export const driftReportMeasure: Measure = {
  name: 'drift-report',
  docs: `${COLUMNS} columns of 2 x ${ROWS} rows, JSON and page: KS, Wasserstein and PSI of each of 25 months against the four before it, their ranks, the domain classifier; Evidently's DataDriftPreset compares the second half with the first by one distance, its default, JSON only.`,
  unit: 'ms',
  better: 'lower',
  target: 0.05,
  async open({ folder, peer }) {
    const given = columns();
    writeFileSync(join(folder, 'columns.f64'), given.values);
    return {
      ours: timedSide(() => stored(given), 1),
      peers: [await peer('drift.py', [folder, String(COLUMNS)], 'drift')],
    };
  },
};
