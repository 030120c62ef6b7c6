/**
 * Worker thread that runs graphs: it draws Monte-Carlo samples, a hundred of which block a thread for 5 to 6 ms, and computes
 * the windows of ranges.
 */
import { parentPort } from 'node:worker_threads';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { OnnxSession } from '../../core/onnx/session.ts';
import { cutterOf, type CutValues, type CutWindows } from '../../core/predict/cut-windows.ts';
import {
  openMonteCarlo,
  type MonteCarloRunner,
  type MonteCarloShape,
} from '../../core/predict/mc.ts';
import type { WindowShape } from '../../core/packages/golden.ts';

/** A graph to be opened, by what it is for. */
export type Graph =
  | { readonly of: 'samples'; readonly bytes: Uint8Array; readonly shape: MonteCarloShape }
  | { readonly of: 'windows'; readonly bytes: Uint8Array; readonly shape: WindowShape };

export type GraphCommand =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly graph: number;
      readonly opened: Graph;
    }
  | {
      readonly kind: 'windows';
      readonly id: number;
      readonly graph: number;
      readonly windows: CutWindows;
    }
  | {
      readonly kind: 'sample';
      readonly id: number;
      readonly graph: number;
      readonly window: Float64Array;
      readonly samples: number;
      readonly instrument?: number | undefined;
      readonly noiseKey: string;
    }
  | { readonly kind: 'release'; readonly id: number; readonly graph: number };

export type GraphReply =
  | { readonly id: number; readonly ok: true; readonly values?: Float64Array }
  | { readonly id: number; readonly ok: false; readonly message: string };

const port = parentPort;
if (!port) throw new Error('graph-thread.ts runs as a worker thread only');
/** With no arena of its own: memory that one graph gives back serves the next one's hundred samples, and costs no time. */
const openSamples = openMonteCarlo((bytes) => openSession(bytes, { keepsMemory: false }));
const sampling = new Map<number, MonteCarloRunner>();
const cutting = new Map<number, { readonly values: CutValues; readonly session: OnnxSession }>();

async function open(graph: number, { of, bytes, shape }: Graph): Promise<void> {
  if (of === 'samples') {
    sampling.set(graph, await openSamples(bytes, shape));
    return;
  }
  const session = await openSession(bytes);
  cutting.set(graph, { session, values: cutterOf(session, shape) });
}

async function obey(command: GraphCommand): Promise<Float64Array | undefined> {
  const { graph } = command;
  if (command.kind === 'open') {
    await open(graph, command.opened);
    return undefined;
  }
  const [samples, windows] = [sampling.get(graph), cutting.get(graph)];
  if (command.kind === 'sample' && samples) return samples.sample(command);
  if (command.kind === 'windows' && windows) return windows.values(command.windows);
  if (command.kind !== 'release' || !(samples ?? windows)) throw new Error('no such graph is open');
  sampling.delete(graph);
  cutting.delete(graph);
  await Promise.all([samples?.release(), windows?.session.release()]);
  return undefined;
}

async function answer(command: GraphCommand): Promise<GraphReply> {
  const { id } = command;
  try {
    const values = await obey(command);
    return { id, ok: true, ...(values ? { values } : {}) };
  } catch (error) {
    return { id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

/** One after the other: noise is drawn just before its run, not for all that wait before the first of them is answered. */
let last: Promise<void> = Promise.resolve();
port.on('message', (command: GraphCommand) => {
  last = last.then(() => answer(command)).then((reply) => port.postMessage(reply));
});
