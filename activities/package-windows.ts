import { instrumentAt, instrumentScalers } from '../core/features/instrument-scaling.ts';
import { outputScales, outputsOf, type Prepared } from '../core/features/prepared.ts';
import { evaluatorOf } from '../core/onnx/evaluator.ts';
import { openRuntimeSession } from '../core/onnx/session.impl.ts';
import type { OnnxSession } from '../core/onnx/session.ts';
import { checkEvaluators } from '../core/packages/evaluator-check.ts';
import {
  EQUALITY_TOLERANCE,
  encodeFloat64,
  largestDifference,
  windowInputs,
} from '../core/packages/golden.ts';
import type { GoldenProbes, Preprocessing } from '../core/packages/manifest.ts';
import { PackageError } from '../core/packages/files.ts';
import { evenlySpaced } from '../core/predict/index.ts';
import type { MonteCarloRunner } from '../core/predict/index.ts';
import type { FitBundle } from '../core/models/bundle.ts';

/** Windows with known answers in each package: 73 kB each for 60 x 152. */
const GOLDEN_WINDOWS = 4;
/** Monte-Carlo samples of the first of them. */
const GOLDEN_SAMPLES = 8;
const GOLDEN_NOISE_KEY = 'golden';

/** Raw window [lookback x features] that ends at a row, as a view. */
export function windowAt(prepared: Prepared, row: number): Float64Array {
  const width = prepared.featureNames.length;
  return prepared.features.subarray((row - prepared.lookback + 1) * width, (row + 1) * width);
}

function windowsAt(prepared: Prepared, rows: Int32Array): Float64Array {
  const size = prepared.lookback * prepared.featureNames.length;
  const windows = new Float64Array(rows.length * size);
  rows.forEach((row, i) => windows.set(windowAt(prepared, row), i * size));
  return windows;
}

const shapeOf = (prepared: Prepared) => ({
  lookback: prepared.lookback,
  features: prepared.featureNames.length,
});

/**
 * Proves that the graph which is about to be packaged computes what the *trained model* computed on the
 * bundle's probes: |difference| <= 1e-5 x max(|y|, label SD). Returns the largest relative difference;
 * throws `package.not-equal`.
 */
export async function proveEquality(
  session: OnnxSession,
  prepared: Prepared,
  { rows, predictions }: FitBundle['probes'],
): Promise<number> {
  const windows = windowsAt(prepared, rows);
  const instrument = (i: number): number => instrumentAt(prepared, rows[i]!);
  const inputs = windowInputs(session, shapeOf(prepared), windows, () => 1, instrument);
  const worst =
    rows.length === 0
      ? Infinity
      : largestDifference(await session.run(inputs), predictions, outputScales(prepared));
  if (worst <= EQUALITY_TOLERANCE) return worst;
  throw new PackageError(
    'package.not-equal',
    `the exported graph differs from the trained model by ${worst} of the label's scale on ` +
      `${rows.length} probes (allowed: ${EQUALITY_TOLERANCE})`,
    { worst, tolerance: EQUALITY_TOLERANCE, probes: rows.length },
  );
}

/**
 * Proves on the bundle's probes and the golden windows, with their closes, that the evaluator which the graph names says what onnxruntime says,
 * so that the file stays the model; see `checkEvaluators`. Nothing to prove where onnxruntime answers anyway.
 */
export async function proveEvaluator(
  session: OnnxSession,
  prepared: Prepared,
  { graphs, probes }: FitBundle,
): Promise<void> {
  if (evaluatorOf(graphs.model) === undefined) return;
  const rows = Int32Array.from([...probes.rows, ...goldenRows(prepared)]);
  const instrument = (i: number): number => instrumentAt(prepared, rows[i]!);
  const close = (i: number): number => prepared.close[rows[i]!]!;
  const windows = windowsAt(prepared, rows);
  const inputs = windowInputs(session, shapeOf(prepared), windows, close, instrument);
  const runtime = await openRuntimeSession(graphs.model);
  try {
    checkEvaluators(await session.run(inputs), await runtime.run(inputs));
  } finally {
    await runtime.release();
  }
}

/** Scalers by instrument, where the graph reads whose window it is given. */
export function ownScalers(
  { inputNames }: Pick<OnnxSession, 'inputNames'>,
  prepared: Prepared,
): Pick<Preprocessing, 'instrumentScalers'> {
  const scalers = inputNames.includes('instrument') ? instrumentScalers(prepared) : undefined;
  return scalers ? { instrumentScalers: scalers } : {};
}

/** Rows as [n][outputs]. */
function rowsOf(values: Float64Array, outputs: number): number[][] {
  return Array.from({ length: values.length / outputs }, (_, i) => [
    ...values.subarray(i * outputs, (i + 1) * outputs),
  ]);
}

/** Ends of the golden windows. A refit has no part but the rows it was fitted on. */
function goldenRows({ split: { test, valid, train } }: Prepared): Int32Array {
  const newest = [test, valid, train].find((part) => part.length > 0) ?? train;
  return evenlySpaced(newest, GOLDEN_WINDOWS);
}

/** Windows of the newest part of the data with the answers that every replica must reproduce. */
export async function goldenProbes(
  session: OnnxSession,
  prepared: Prepared,
  monteCarlo: MonteCarloRunner | undefined,
  tolerance = EQUALITY_TOLERANCE,
): Promise<GoldenProbes> {
  const rows = goldenRows(prepared);
  const windows = windowsAt(prepared, rows);
  const close = Array.from(rows, (row) => prepared.close[row]!);
  const outputs = outputsOf(prepared);
  const instrument = Array.from(rows, (row) => instrumentAt(prepared, row));
  const inputs = windowInputs(
    session,
    shapeOf(prepared),
    windows,
    (i) => close[i]!,
    (i) => instrument[i],
  );
  const answers = await session.run(inputs);
  const probes: GoldenProbes = {
    windows: encodeFloat64(windows),
    close,
    ...('instrument' in inputs && { instrument }),
    expected: rowsOf(answers, outputs),
    tolerance,
    labelSd: outputScales(prepared),
  };
  if (!monteCarlo) return probes;
  const samples = await monteCarlo.sample({
    window: windowAt(prepared, rows[0]!),
    samples: GOLDEN_SAMPLES,
    instrument: instrument[0],
    noiseKey: GOLDEN_NOISE_KEY,
  });
  const expected = rowsOf(samples, outputs);
  return { ...probes, monteCarlo: { noiseKey: GOLDEN_NOISE_KEY, expected } };
}
