import type { OnnxSession } from '../core/onnx/session.ts';
import { windowInputs } from '../core/packages/golden.ts';

/** Windows run through a graph at once: 64 windows of 60 x 152 float64 are 4.7 MB. */
const CHUNK_ROWS = 64;

/** Rows that windows are cut from. */
export interface WindowSource {
  /** Row-major [rows x features], unscaled. */
  readonly features: Float64Array;
  readonly featureCount: number;
  readonly close: Float64Array;
  /** Row ranges [from, to) of instruments: a window never crosses from one to the next. */
  readonly instruments: readonly {
    readonly from: number;
    readonly to: number;
    /** Among those that the graph knows, for a graph that scales by instrument; absent: the place in this list. */
    readonly position?: number;
  }[];
}

/**
 * Forecasts of a graph for windows of `lookback` rows that end at `rows`, in *learnt* units: where the graph
 * multiplies by the close, its answer is divided by it again. A row without a full, finite window gives NaN.
 * Returns row-major [rows x outputs]. `onChunk` is called between chunks (heartbeat, cancellation).
 */
export async function forecastRows(
  session: OnnxSession,
  source: WindowSource,
  rows: Int32Array,
  options: { readonly lookback: number; readonly outputs: number; readonly onChunk: () => void },
): Promise<Float64Array> {
  const { lookback, outputs, onChunk } = options;
  const out = new Float64Array(rows.length * outputs).fill(NaN);
  const usable = [...rows.keys()].filter((i) => isFullWindow(source, rows[i]!, lookback));
  for (let at = 0; at < usable.length; at += CHUNK_ROWS) {
    onChunk();
    const chunk = usable.slice(at, at + CHUNK_ROWS);
    const windows = new Float64Array(chunk.length * lookback * source.featureCount);
    chunk.forEach((i, n) => {
      const last = rows[i]! + 1;
      const window = source.features.subarray(
        (last - lookback) * source.featureCount,
        last * source.featureCount,
      );
      windows.set(window, n * lookback * source.featureCount);
    });
    const closeOf = (n: number): number => source.close[rows[chunk[n]!]!]!;
    const shape = { lookback, features: source.featureCount };
    const instrument = (n: number): number => positionOf(source, rows[chunk[n]!]!);
    const inputs = windowInputs(session, shape, windows, closeOf, instrument);
    const answers = await session.run(inputs);
    const multiplied = 'close' in inputs;
    chunk.forEach((i, n) => {
      for (let k = 0; k < outputs; k++) {
        const answer = answers[n * outputs + k]!;
        out[i * outputs + k] = multiplied ? answer / closeOf(n) : answer;
      }
    });
  }
  return out;
}

function positionOf({ instruments }: WindowSource, row: number): number {
  const at = instruments.findIndex(({ from, to }) => row >= from && row < to);
  return instruments[at]?.position ?? at;
}

function isFullWindow(source: WindowSource, row: number, lookback: number): boolean {
  const first = row - lookback + 1;
  const own = source.instruments.find(({ from, to }) => row >= from && row < to);
  if (!own || first < own.from || (own.position ?? 0) < 0) return false;
  const { featureCount, features } = source;
  for (let i = first * featureCount; i < (row + 1) * featureCount; i++) {
    if (!Number.isFinite(features[i]!)) return false;
  }
  return true;
}
