import type { Measure } from '../measure.ts';
import { timedSide } from '../measure.ts';
import { randomNetwork, randomWindows, type NetworkShape } from '../../support/lstm-network.ts';
import { buildMonteCarloGraph } from '../../../core/onnx/monte-carlo.ts';
import { buildForecasterGraph } from '../../../core/onnx/networks.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { openMonteCarlo } from '../../../core/predict/mc.ts';

/** The index predictor's network. */
const A1: NetworkShape = {
  lookback: 60,
  features: 152,
  units: [50, 50],
  dense: [25],
  branch: 16,
  horizons: [7, 14, 30],
  rates: { dropout: 0.2, recurrentDropout: 0.2 },
};
const ASKED = 500;
const SAMPLES = 100;
const SAMPLED = 40;

/**
 * Where its time goes (runtime's own profile, one thread): the two LSTM kernels 76 of 92 us, which is 7.25 MFLOP at
 * 95 GFLOP/s; batch norms 4, the rest is small operators and the call. Recurrent weights that the runtime does not pack
 * beforehand take 16 us more, memory without an arena 0 to 2 less. The peer takes 33 GFLOP/s.
 */
export const predict1: Measure = {
  name: 'predict-1',
  docs: `One 60 x 152 window through the index predictor's network, model only: the exported graph, scaling included.`,
  unit: 'ms',
  better: 'lower',
  target: 0.3,
  async open({ peer }) {
    const { weights, ctx } = randomNetwork('bench', A1);
    const session = await openSession(buildForecasterGraph(weights, ctx));
    const x = { data: randomWindows(ctx, 1, 'bench'), dims: [1, A1.lookback, A1.features] };
    return {
      ours: { ...timedSide(() => session.run({ x }), ASKED), close: () => session.release() },
      peers: [
        await peer('torch_lstm.py', ['predict', '1', 'cpu']),
        await peer('torch_lstm.py', ['predict', '2', 'cpu']),
        await peer('keras_lstm.py', ['predict', '1']),
        await peer('keras_lstm.py', ['predict', '2']),
      ],
    };
  },
};

/**
 * Of 5.2 ms: 725 MFLOP of products 3.3, sigmoids and tanh 1.2, the rest small operators of the scan (runtime's own
 * profile); the noise .14.
 */
export const mcDropout100: Measure = {
  name: 'mc-dropout-100',
  docs: `Confidence of one window from ${SAMPLES} samples with all dropouts on, noise drawn anew each time; Keras with training=True on ${SAMPLES} copies.`,
  unit: 'ms',
  better: 'lower',
  target: 0.6,
  async open({ peer }) {
    const { weights, ctx } = randomNetwork('bench', A1);
    const { graph, noiseWidth } = buildMonteCarloGraph(weights, ctx);
    const shape = { lookback: A1.lookback, features: A1.features, noiseWidth };
    const runner = await openMonteCarlo(openSession)(graph, shape);
    const window = randomWindows(ctx, 1, 'bench');
    let asked = 0;
    const sample = (): Promise<unknown> =>
      runner.sample({ window, samples: SAMPLES, noiseKey: `${asked++}` });
    return {
      ours: { ...timedSide(sample, SAMPLED), close: () => runner.release() },
      peers: [
        await peer('keras_lstm.py', ['sample', '1']),
        await peer('keras_lstm.py', ['sample', '2']),
      ],
    };
  },
};
