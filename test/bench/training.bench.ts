/**
 * Milliseconds per training batch of the index predictor's network (60 x 152, LSTM 50 + 50, three
 * horizons, batch 32, dropout and recurrent dropout .2) on one core, gathering and Adam included.
 * Run: node --import tsx test/bench/training.bench.ts [--json]
 */
import { withoutTensorflow } from '../support/tensorflow.ts';
import { fitContext } from '../support/fit-context.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { samplesOf } from '../../core/features/prepared.ts';
import { lstmMultiHorizon, lstmParams } from '../../core/models/lstm-multi-horizon.ts';

/** The first batches allocate and compile. */
const WARM_UP = 20;
const EPOCHS = 4;

if (withoutTensorflow) throw new Error(withoutTensorflow);
const prepared = plantedPrepared({
  rows: 2400,
  features: 152,
  lookback: 60,
  horizons: [7, 14, 30],
});
const { implementation } = await lstmMultiHorizon.load();
const times: number[] = [];
let fromMs = performance.now();
const model = await implementation.fit(
  lstmParams.parse({ epochs: EPOCHS }),
  samplesOf(prepared, prepared.split.train),
  samplesOf(prepared, prepared.split.valid),
  fitContext(prepared, {
    now: () => performance.now(),
    onBatch: ({ batch }) => {
      const nowMs = performance.now();
      // The first batch of an epoch has the validation of the one before in it.
      if (batch > 1) times.push(nowMs - fromMs);
      fromMs = nowMs;
    },
  }),
);
const epochSeconds = model.summary.history.map(({ seconds }) => seconds);
model.dispose();
const sorted = times.slice(WARM_UP).sort((a, b) => a - b);
const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
const result = {
  batches: sorted.length,
  bestMs: sorted[0]!,
  medianMs: quantile(0.5),
  p90Ms: quantile(0.9),
  bestEpochSeconds: Math.min(...epochSeconds),
};
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else console.table(result);
