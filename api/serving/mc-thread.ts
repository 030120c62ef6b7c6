/** Worker thread that draws Monte-Carlo samples: 100 of them block a thread for some 11 ms. */
import { parentPort } from 'node:worker_threads';
import { openSession } from '../../core/onnx/session.impl.ts';
import {
  openMonteCarlo,
  type MonteCarloRunner,
  type MonteCarloShape,
} from '../../core/predict/mc.ts';

export type McCommand =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly graph: number;
      readonly bytes: Uint8Array;
      readonly shape: MonteCarloShape;
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

export type McReply =
  | { readonly id: number; readonly ok: true; readonly values?: Float64Array }
  | { readonly id: number; readonly ok: false; readonly message: string };

const port = parentPort;
if (!port) throw new Error('mc-thread.ts runs as a worker thread only');
/** Each graph would else keep what its hundred samples took, some 15 MB. */
const openSamples = openMonteCarlo((bytes) => openSession(bytes, { keepsMemory: false }));
const runners = new Map<number, MonteCarloRunner>();

async function obey(command: McCommand): Promise<Float64Array | undefined> {
  if (command.kind === 'open') {
    const runner = await openSamples(command.bytes, command.shape);
    runners.set(command.graph, runner);
    return undefined;
  }
  const runner = runners.get(command.graph);
  if (!runner) throw new Error('no such graph is open');
  if (command.kind === 'sample') return runner.sample(command);
  runners.delete(command.graph);
  await runner.release();
  return undefined;
}

port.on('message', (command: McCommand) => {
  obey(command).then(
    (values) => {
      const reply: McReply = { id: command.id, ok: true, ...(values ? { values } : {}) };
      port.postMessage(reply);
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      port.postMessage({ id: command.id, ok: false, message } satisfies McReply);
    },
  );
});
