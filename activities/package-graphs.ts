import type { FitBundle } from '../core/models/bundle.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import type { OnnxSession } from '../core/onnx/session.ts';
import { openMonteCarlo, type MonteCarloRunner } from '../core/predict/index.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';

/** Methods that draw Monte-Carlo samples. */
const SAMPLED: ReadonlySet<string> = new Set(['directional', 'relativeStd']);

export interface Graphs {
  readonly session: OnnxSession;
  /** Absent where family or spec have no Monte-Carlo confidence. */
  readonly monteCarlo: MonteCarloRunner | undefined;
  readonly noiseWidth: number;
}

/** Opens one graph, and releases it whatever happens. */
export async function withSession<T>(
  graph: Uint8Array,
  use: (session: OnnxSession) => Promise<T>,
): Promise<T> {
  const session = await openSession(graph);
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

/** The same with the graphs that a package is made of. */
export function withGraphs<T>(
  bundle: FitBundle,
  spec: ExperimentSpec,
  use: (graphs: Graphs) => Promise<T>,
): Promise<T> {
  const { model, monteCarlo: mc } = bundle.graphs;
  const shape = {
    lookback: bundle.context.lookback,
    features: bundle.context.featureNames.length,
    noiseWidth: mc?.noiseWidth ?? 0,
  };
  return withSession(model, async (session) => {
    const sampled = mc && SAMPLED.has(spec.confidence.method);
    const monteCarlo = sampled ? await openMonteCarlo(openSession)(mc.graph, shape) : undefined;
    try {
      return await use({ session, monteCarlo, noiseWidth: shape.noiseWidth });
    } finally {
      await monteCarlo?.release();
    }
  });
}
