import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Measure, Side, Workload } from '../measure.ts';
import { startOurs } from '../peer.ts';

const BATCHES = 120;
const RATE = 0.2;
/** As the worker starts its training children. */
const ONE_THREAD = {
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  OMP_NUM_THREADS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
};

const NETWORK = '60 x 152, LSTM 50 + 50, dense 25, three branches of 16, batch 32, dropout 0.2';

/** Sides that work at the same time: milliseconds a batch of all of them together. */
function together(sides: readonly Side[]): Side {
  return {
    name: `${sides.length} x ${sides[0]!.name}`,
    async round() {
      const figures = await Promise.all(sides.map((side) => side.round()));
      return 1 / figures.reduce((rate, figure) => rate + 1 / figure, 0);
    },
    close: async () => {
      for (const side of sides) await side.close();
    },
  };
}

const ours = (recurrentDropout: number): Promise<Side> =>
  startOurs(
    join('training', 'train-process.ts'),
    [`${BATCHES}`, `${recurrentDropout}`],
    ONE_THREAD,
  );

const keras = (
  { peer }: Workload,
  {
    threads,
    compile,
    recurrent,
  }: { threads: number; compile: 'xla' | 'graph' | 'unrolled'; recurrent: number },
): Promise<Side> =>
  peer('keras_lstm.py', ['train', `${threads}`, compile, `${recurrent}`, `${BATCHES}`]);

const torch = ({ peer, device }: Workload, threads: number): Promise<Side> =>
  peer('torch_lstm.py', ['train', `${threads}`, device, `${BATCHES}`]);

const CORES = 2;

/**
 * Keras takes 14 to 20 ms in runs of different days, hence .29 to .35. Of the 4.8 ms of a batch (one core with
 * AVX-512, shares by samples on a machine that others worked on as well):
 *
 *   matrix products        2.4 ms   579 MFLOP: 2 x 117 for the inputs of the first layer, 9 x 38 for
 *                                   the rest
 *   loops over elements    1.4 ms   of which tanh, 960,000 times, 0.4; filling what is overwritten
 *                                   afterwards 0.1
 *   what runs them         0.8 ms   2,900 calls: 4 loops of 60 steps with 8 (backward) or 15 (forward)
 *                                   each; copies
 *   what is not compiled   0.2 ms   half of it random numbers; places and labels, losses
 *
 * Nothing was gained by: storing the slopes of each gate by itself in place of joining them (the
 * same forwards, twice the time backwards, where they are copied), choosing by gate (not vector code
 * any more), slopes in one pass behind the loop (+0.3 ms: they leave the cache), XLA's other
 * schedulers and products; two or four steps a turn of the loops, forward or all (the same time, and
 * compiling takes a second longer); a forward loop of 8 kernels, which then has no queue either, but
 * leaves the slopes to the backward one (+0.2 ms); all that a step keeps joined in one array (+2 ms:
 * no vector code). XLA makes none of a kernel that reads a row at a changing place twice, and drops
 * optimisation barriers before it forms kernels. Vectors of 512 bits
 * (`--xla_cpu_prefer_vector_width=512`) bring 0.1 to 0.2 ms and other last bits; that option ends a
 * process whose TensorFlow does not know it.
 */
export const trainLstm: Measure = {
  name: 'train-lstm',
  docs: `One training batch (${NETWORK}, recurrent dropout 0.2) on one core; Keras on one core or two, compiled by XLA, as a graph, or unrolled over time. Ours without the first and last batch of an epoch.`,
  unit: 'ms',
  better: 'lower',
  target: 0.33,
  async open(workload) {
    const recurrent = RATE;
    return {
      ours: await ours(recurrent),
      peers: [
        await keras(workload, { threads: 1, compile: 'xla', recurrent }),
        await keras(workload, { threads: CORES, compile: 'xla', recurrent }),
        await keras(workload, { threads: CORES, compile: 'graph', recurrent }),
        await keras(workload, { threads: 1, compile: 'unrolled', recurrent }),
        await keras(workload, { threads: CORES, compile: 'unrolled', recurrent }),
      ],
    };
  },
};

export const trainLstmPlain: Measure = {
  name: 'train-lstm-plain',
  docs: `The same without recurrent dropout on the whole machine: our processes, one a core; PyTorch and Keras as parallel as is best for them.`,
  unit: 'ms',
  better: 'lower',
  target: 0.95,
  gpu: true,
  async open(workload) {
    // A GPU is shared by nobody: one process each.
    if (workload.device === 'gpu') {
      const side = await ours(0);
      assert.match(side.name, /GPU/, 'the TensorFlow that is set up here does not use the GPU');
      return { ours: side, peers: [await torch(workload, CORES)] };
    }
    const all = (start: () => Promise<Side>): Promise<Side> =>
      Promise.all(Array.from({ length: CORES }, start)).then(together);
    const one = { threads: 1, recurrent: 0 };
    return {
      ours: await all(() => ours(0)),
      peers: [
        await torch(workload, CORES),
        await all(() => torch(workload, 1)),
        await all(() => keras(workload, { ...one, compile: 'xla' })),
        await all(() => keras(workload, { ...one, compile: 'unrolled' })),
        await keras(workload, { threads: CORES, compile: 'graph', recurrent: 0 }),
        await keras(workload, { threads: CORES, compile: 'unrolled', recurrent: 0 }),
      ],
    };
  },
};
