import { setImmediate } from 'node:timers/promises';
import { openSession } from '../../onnx/session.impl.ts';
import type { Samples, Windows } from '../model.ts';
import { assertWindowsFinite } from '../scaled.ts';

/** Windows an ONNX run takes at a time. */
const BATCH = 64;

/** Unscaled windows [rows.length x lookback x features]. */
function windowsAt({ features, featureCount, lookback }: Windows, rows: Int32Array): Float64Array {
  const size = lookback * featureCount;
  const out = new Float64Array(rows.length * size);
  rows.forEach((end, i) => {
    const to = (end + 1) * featureCount;
    out.set(features.subarray(to - size, to), i * size);
  });
  return out;
}

/**
 * What trees read of windows: the newest bar's features as they are, then what the network's exported graph (of
 * `buildFeatureGraph`) gives; row-major [windows x (features + width)]. Answers of that graph do not depend on how the
 * windows are cut into batches. Throws `training.not-finite`.
 */
export async function treeRowsOf(
  extractor: Uint8Array,
  windows: Windows,
  part: string,
  signal?: AbortSignal,
): Promise<{ readonly x: Float64Array; readonly columns: number }> {
  const { endRow, featureCount, lookback, features } = windows;
  assertWindowsFinite(windows, part, lookback);
  const session = await openSession(extractor, { threads: 1 });
  try {
    let x = new Float64Array(0);
    let columns = featureCount;
    for (let from = 0; from < endRow.length; from += BATCH) {
      // `run` blocks; between two of them the process can hear that its parent is gone.
      await setImmediate();
      signal?.throwIfAborted();
      const rows = endRow.subarray(from, from + BATCH);
      const dims = [rows.length, lookback, featureCount];
      const learned = await session.run({ x: { data: windowsAt(windows, rows), dims } });
      const width = learned.length / rows.length;
      if (from === 0) {
        columns = featureCount + width;
        x = new Float64Array(endRow.length * columns);
      }
      rows.forEach((row, i) => {
        const to = (from + i) * columns;
        x.set(features.subarray(row * featureCount, (row + 1) * featureCount), to);
        x.set(learned.subarray(i * width, (i + 1) * width), to + featureCount);
      });
    }
    return { x, columns };
  } finally {
    await session.release();
  }
}

/** The samples as trees see them: one row each, with nothing before it. */
export async function treeSamplesOf(
  extractor: Uint8Array,
  samples: Samples,
  part: string,
  signal?: AbortSignal,
): Promise<Samples> {
  const { x, columns } = await treeRowsOf(extractor, samples, part, signal);
  const endRow = Int32Array.from(samples.endRow.keys());
  return {
    ...samples,
    features: x,
    featureCount: columns,
    lookback: 1,
    endRow,
    openTime: undefined,
  };
}
