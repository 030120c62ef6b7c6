import { outputsOf, type Prepared } from '../core/features/prepared.ts';
import { classLabelOrThrow } from '../core/labels/index.ts';
import type { OnnxSession } from '../core/onnx/session.ts';
import type { ConfidenceCalibration } from '../core/packages/manifest.ts';
import {
  classReliability,
  fitClassConfidence,
  mostProbable,
  riseScore,
  type ClassCalibrationRows,
  type HorizonReliability,
} from '../core/predict/index.ts';
import { forecastRows } from './forecast-rows.ts';

interface ClassGraph {
  readonly session: OnnxSession;
  readonly prepared: Prepared;
  /** Heartbeat, and where a cancel is noticed. */
  readonly onChunk: () => void;
}

/** How sure a model of classes may say it is: calibrated on the validation part, looked at on the test part. */
export async function classConfidenceOf(graph: ClassGraph): Promise<{
  readonly calibration: ConfidenceCalibration;
  readonly reliability: readonly HorizonReliability[];
}> {
  const { valid, test } = graph.prepared.split;
  const calibration = fitClassConfidence(await rowsOf(graph, valid));
  const seen = await rowsOf(graph, test);
  return { calibration, reliability: classReliability(seen, calibration, graph.prepared.horizons) };
}

/** What the graph said on some rows and what came, by horizon. */
async function rowsOf(
  { session, prepared, onChunk }: ClassGraph,
  part: Int32Array,
): Promise<ClassCalibrationRows[]> {
  const label = classLabelOrThrow(prepared.labelKind);
  const classes = label.classes.length;
  const h = prepared.horizons.length;
  const outputs = outputsOf(prepared);
  const source = { ...prepared, featureCount: prepared.featureNames.length };
  const { lookback } = prepared;
  const said = await forecastRows(session, source, part, { lookback, outputs, onChunk });
  return prepared.horizons.map((_, k) => {
    const p = (i: number): Float64Array =>
      said.subarray(i * outputs + k * classes, i * outputs + (k + 1) * classes);
    const column = (of: (i: number) => number) => Float64Array.from(part, (_row, i) => of(i));
    return {
      answered: column((i) => p(i)[mostProbable(p(i))]!),
      hit: column((i) => Number(mostProbable(p(i)) === prepared.labels[part[i]! * h + k])),
      score: column((i) => riseScore(label, p(i))),
      rose: column((i) => Number((prepared.labelChanges?.[part[i]! * h + k] ?? 0) > 0)),
    };
  });
}
