/**
 * Trains the index predictor's network on planted windows, as the product does; answers every line with the
 * milliseconds of a training batch: gathering, masks, gradient and Adam, without what an epoch ends with.
 * Arguments: batches of a round, recurrent dropout.
 */
import { createInterface } from 'node:readline';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { samplesOf } from '../../../core/features/prepared.ts';
import { loadTensorflow } from '../../../core/models/network/tensorflow.impl.ts';
import { lstmMultiHorizon, lstmParams } from '../../../core/models/lstm-multi-horizon.ts';

const [batchesOfRound, recurrentDropout] = process.argv.slice(2).map(Number) as [number, number];
const ROWS = 2400;
const prepared = plantedPrepared({
  rows: ROWS,
  features: 152,
  lookback: 60,
  horizons: [7, 14, 30],
});
const [train, valid] = (['train', 'valid'] as const).map((part) =>
  samplesOf(prepared, prepared.split[part]),
);
const { implementation } = await lstmMultiHorizon.load();
const batchSize = lstmParams.parse({}).batchSize;
const batches = Math.ceil(train!.endRow.length / batchSize);
const epochs = Math.ceil(batchesOfRound / (batches - 2)) + 1;

async function round(): Promise<number> {
  let [sum, count, fromMs] = [0, 0, performance.now()];
  const model = await implementation.fit(
    lstmParams.parse({ epochs, recurrentDropout }),
    train!,
    valid!,
    fitContext(prepared, {
      now: () => performance.now(),
      onBatch: ({ epoch, batch }) => {
        const nowMs = performance.now();
        // The first epoch compiles, the first batch of another has the validation before it, the last is smaller.
        if (epoch > 1 && batch > 1 && batch < batches) {
          sum += nowMs - fromMs;
          count += 1;
        }
        fromMs = nowMs;
      },
    }),
  );
  model.dispose();
  return sum / count;
}

const { backend } = loadTensorflow();
console.log(JSON.stringify({ name: backend.isUsingGpuDevice ? 'ratchet, GPU' : 'ratchet' }));
for await (const _line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await round()));
}
