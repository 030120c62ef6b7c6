import { buildTransformerGraph, buildTransformerMonteCarloGraph } from '../onnx/transformer.ts';
import { networkImplementation } from './network/family.impl.ts';
import type { TransformerParams } from './transformer.ts';
import { initialWeights } from './transformer/initialise.ts';
import { layoutOf, shapeOf } from './transformer/layout.ts';
import { TransformerNetwork } from './transformer/network.impl.ts';
import { toTransformerWeights } from './transformer/weights.ts';

export const implementation = networkImplementation<TransformerParams>({
  kind: 'transformer-model',
  version: 1,
  design(params, sizes) {
    const layout = layoutOf(shapeOf(params, sizes));
    const { dropout } = params;
    return {
      layout,
      initialWeights: (seed) => initialWeights(layout, seed),
      network: (native, setup) => new TransformerNetwork(native, { layout, dropout, setup }),
      graphs({ theta }, ctx) {
        const weights = toTransformerWeights(layout, theta, dropout);
        return {
          model: buildTransformerGraph(weights, ctx),
          monteCarlo: buildTransformerMonteCarloGraph(weights, ctx),
        };
      },
    };
  },
});
