import { RatchetError } from '../errors.ts';
import type { OnnxSession } from '../onnx/session.ts';
import { windowInputs, type WindowShape } from '../packages/golden.ts';

/** Windows of one instrument, cut from one matrix: neighbours share all rows but one. */
export interface CutWindows {
  /** Raw features, row-major. */
  readonly rows: Float64Array;
  /** Last row of each window. */
  readonly ends: Int32Array;
  /** Position of the instrument among those of the package. */
  readonly instrument: number;
}

/**
 * What the graph computes for windows, in learnt label units or probabilities, row-major [windows x outputs]; for each the
 * same as alone.
 */
export type CutValues = (windows: CutWindows) => Promise<Float64Array>;

/** Runs the graph of a package over windows in another thread. */
export interface WindowsRunner {
  /** undefined: not now, because it is not open yet, or others go first. */
  run(windows: CutWindows): Promise<Float64Array> | undefined;
  release(): void;
}

/** Windows of one run of the graph: so many of 60 x 152 numbers stay near the core that reads them. */
const RUN_WINDOWS = 16;

/** Runs windows by a session of this thread; where they are laid side by side is used again. Throws `onnx.input`. */
export function cutterOf(
  session: Pick<OnnxSession, 'inputNames' | 'run'>,
  shape: WindowShape,
): CutValues {
  const { lookback, features } = shape;
  const size = lookback * features;
  let free: Float64Array | undefined;
  return async ({ rows, ends, instrument }) => {
    if (!ends.every((end) => end + 1 >= lookback && (end + 1) * features <= rows.length)) {
      throw new RatchetError('onnx.input', `a window has ${lookback} rows of ${features} values`);
    }
    const wanted = Math.min(RUN_WINDOWS, ends.length) * size;
    const room = free && free.length >= wanted ? free : new Float64Array(wanted);
    free = undefined;
    const runs: Float64Array[] = [];
    for (let from = 0; from < ends.length; from += RUN_WINDOWS) {
      const some = ends.subarray(from, from + RUN_WINDOWS);
      some.forEach((end, i) => {
        room.set(rows.subarray((end + 1 - lookback) * features, (end + 1) * features), i * size);
      });
      const windows = room.subarray(0, some.length * size);
      const inputs = windowInputs(
        session,
        shape,
        windows,
        () => 1,
        () => instrument,
      );
      runs.push(await session.run(inputs));
    }
    free = room;
    return joined(runs);
  };
}

function joined(runs: readonly Float64Array[]): Float64Array {
  if (runs.length === 1) return runs[0]!;
  const all = new Float64Array(runs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const run of runs) {
    all.set(run, at);
    at += run.length;
  }
  return all;
}
