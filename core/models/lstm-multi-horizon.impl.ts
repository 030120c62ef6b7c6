import { buildForecasterGraph, buildMonteCarloGraph } from '../onnx/networks.ts';
import type { LstmParams } from './lstm-multi-horizon.ts';
import { initialWeights } from './lstm/initialise.ts';
import { layoutOf, shapeOf, toNetWeights } from './lstm/layout.ts';
import { LstmNetwork } from './lstm/network.impl.ts';
import { networkImplementation } from './network/family.impl.ts';

export const implementation = networkImplementation<LstmParams>({
  kind: 'lstm-model',
  version: 1,
  design(params, { inputs, horizons }) {
    const layout = layoutOf(shapeOf(params, inputs, horizons));
    return {
      layout,
      initialWeights: (seed) => initialWeights(layout, seed),
      network: (native, setup) => new LstmNetwork(native, { layout, rates: params, setup }),
      graphs(weights, ctx) {
        const { dropout, recurrentDropout } = params;
        const net = toNetWeights(layout, weights, { dropout, recurrentDropout });
        return {
          model: buildForecasterGraph(net, ctx),
          monteCarlo: buildMonteCarloGraph(net, ctx),
        };
      },
    };
  },
});
