import { RatchetError } from '../errors.ts';
import type { OnnxSession, SessionInputs } from '../onnx/session.ts';
import { PackageError } from './files.ts';
import type { GoldenProbes } from './manifest.ts';

/** Equality of two computations of one forecast: |difference| <= this x max(|y|, label SD). */
export const EQUALITY_TOLERANCE = 1e-5;

/** base64 of float64, little-endian. */
export function encodeFloat64(values: Float64Array): string {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => bytes.writeDoubleLE(value, 8 * i));
  return bytes.toString('base64');
}

export function decodeFloat64(base64: string): Float64Array {
  const bytes = Buffer.from(base64, 'base64');
  return Float64Array.from({ length: bytes.length >> 3 }, (_, i) => bytes.readDoubleLE(8 * i));
}

/** Shape of the windows a package takes. */
export interface WindowShape {
  readonly lookback: number;
  readonly features: number;
}

/**
 * `windows` [n, lookback, features] as session inputs; `close` only where the graph multiplies by it, `instrument` (the
 * position among those of the package) only where it scales each by itself. Throws `onnx.input` where it is not known.
 */
export function windowInputs(
  session: Pick<OnnxSession, 'inputNames'>,
  shape: WindowShape,
  windows: Float64Array,
  close: (row: number) => number,
  instrument?: (row: number) => number | undefined,
): SessionInputs {
  const n = windows.length / (shape.lookback * shape.features);
  const x = { data: windows, dims: [n, shape.lookback, shape.features] };
  const each = <T>(of: (row: number) => T): T[] => Array.from({ length: n }, (_, row) => of(row));
  const reads = (name: string): boolean => session.inputNames.includes(name);
  const positions = reads('instrument') ? each((row) => positionOf(instrument?.(row))) : [];
  return {
    x,
    ...(reads('close') && { close: { data: Float64Array.from(each(close)), dims: [n, 1] } }),
    ...(reads('instrument') && {
      instrument: { data: BigInt64Array.from(positions), dims: [n] },
    }),
  };
}

/** A position that is not known must not be taken for one from the end. */
function positionOf(instrument: number | undefined): bigint {
  if (instrument !== undefined && instrument >= 0) return BigInt(instrument);
  throw new RatchetError('onnx.input', 'the graph scales by instrument, and none is named');
}

/**
 * Largest |difference| / max(|y|, label SD) between two row-major [rows x horizons] forecasts; Infinity
 * when any value is not finite, so that NaN never passes as equal.
 */
export function largestDifference(
  got: Float64Array,
  want: Float64Array,
  labelSd: readonly number[],
): number {
  if (got.length !== want.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const scale = Math.max(Math.abs(want[i]!), labelSd[i % labelSd.length]!);
    const difference = Math.abs(got[i]! - want[i]!);
    const relative = difference === 0 ? 0 : difference / scale;
    if (Number.isNaN(relative)) return Infinity;
    worst = Math.max(worst, relative);
  }
  return worst;
}

function checkProbe(
  got: Float64Array,
  expected: readonly (readonly number[])[],
  golden: GoldenProbes,
) {
  const want = Float64Array.from(expected.flat());
  const worst = largestDifference(got, want, golden.labelSd);
  if (worst <= golden.tolerance) return;
  throw new PackageError(
    'package.probe',
    `the package computes other forecasts here than where it was made (relative difference ${worst})`,
    { worst, tolerance: golden.tolerance },
  );
}

/** Runs the golden windows through an open graph; throws `package.probe` unless every answer is there. */
export async function probePackage(
  session: OnnxSession,
  golden: GoldenProbes,
  shape: WindowShape,
): Promise<void> {
  const windows = decodeFloat64(golden.windows);
  const inputs = windowInputs(
    session,
    shape,
    windows,
    (row) => golden.close[row]!,
    (row) => golden.instrument?.[row],
  );
  checkProbe(await session.run(inputs), golden.expected, golden);
}

/** The Monte-Carlo samples of the first golden window, with learnt units (close 1); see `probePackage`. */
export function probeSamples(samples: Float64Array, golden: GoldenProbes): void {
  if (golden.monteCarlo) checkProbe(samples, golden.monteCarlo.expected, golden);
}
