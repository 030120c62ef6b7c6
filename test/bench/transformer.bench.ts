/**
 * Milliseconds per gradient of the Transformer with its defaults (60 x 152, dModel 64, 4 heads, 2 layers, batch 32) on
 * one core: the family's network, the same without dropout, and the network written down plainly (head by head, every
 * bar through every layer, each operation on tfjs' tape). The three take turns, so that they share what disturbs them.
 * Run: node --import tsx test/bench/transformer.bench.ts [--json]
 */
import type { Scalar, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import { PlainTransformer } from '../support/plain-transformer.ts';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { normalFrom, randomFor } from '../../core/models/random.ts';
import { loadTensorflow } from '../../core/models/network/tensorflow.impl.ts';
import { transformerParams } from '../../core/models/transformer.ts';
import { initialWeights } from '../../core/models/transformer/initialise.ts';
import { layoutOf, shapeOf } from '../../core/models/transformer/layout.ts';
import { TransformerNetwork } from '../../core/models/transformer/network.impl.ts';

const [STEPS, BATCH, INPUTS, HORIZONS] = [60, 32, 152, 3];
/** The first steps allocate. */
const WARM_UP = 10;
const ROUNDS = 100;

if (withoutTensorflow) throw new Error(withoutTensorflow);
const native = loadTensorflow();
const { tf } = native;
const params = transformerParams.parse({});
const sizes = { inputs: INPUTS, lookback: STEPS, horizons: HORIZONS, classes: 0 };
const layout = layoutOf(shapeOf(params, sizes));
const normals = (count: number, key: number): Float32Array =>
  Float32Array.from({ length: count }, normalFrom(randomFor(key)));
const theta = tf.tensor1d(initialWeights(layout, 1).theta);
const x: Tensor3D = tf.tensor3d(normals(STEPS * BATCH * INPUTS, 1), [STEPS, BATCH, INPUTS]);
const y: Tensor2D = tf.tensor2d(normals(BATCH * HORIZONS, 2), [BATCH, HORIZONS]);
const head = { kind: 'regression' as const, lossWeights: [0.5, 0.3, 0.2] };

function lossOf(dropout: number): (w: Tensor1D, step: number) => Scalar {
  const network = new TransformerNetwork(native, { layout, dropout, setup: { head, seed: 1 } });
  return (w, step) =>
    network.trainingLoss(w, { x, y, step }, ({ losses }) => losses.dispose()).asScalar();
}

const plain = new PlainTransformer(tf, layout);
const variants: Readonly<Record<string, (w: Tensor1D, step: number) => Scalar>> = {
  'with dropout': lossOf(params.dropout),
  'without dropout': lossOf(0),
  plain: (w) => {
    const losses = tf.mean(tf.square(tf.sub(plain.outputs(w, x), y)), 0);
    return tf.sum(tf.mul(losses, head.lossWeights)).asScalar();
  },
};

const times = Object.fromEntries(Object.keys(variants).map((name) => [name, [] as number[]]));
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  for (const [name, loss] of Object.entries(variants)) {
    const fromMs = performance.now();
    tf.tidy(() => {
      const [gradient] = tf.grads((w) => loss(w as Tensor1D, round))([theta]);
      gradient!.dataSync();
    });
    if (round >= WARM_UP) times[name]!.push(performance.now() - fromMs);
  }
}
const result = Object.fromEntries(
  Object.entries(times).map(([name, all]) => {
    const sorted = all.sort((a, b) => a - b);
    return [name, { bestMs: sorted[0]!, medianMs: sorted[ROUNDS >> 1]! }];
  }),
);
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else console.table(result);
