import { buildMonteCarloGraph } from '../../onnx/monte-carlo.ts';
import { buildForecasterGraph } from '../../onnx/networks.ts';
import type { NetworkDesign } from '../network/design.ts';
import { initialWeights } from './initialise.ts';
import { layoutOf, toNetWeights, type NetworkShape } from './layout.ts';
import type { DropoutRates } from './masks.ts';
import { LstmNetwork } from './network.impl.ts';

/** A stacked LSTM network of this shape, as the shared training takes it. */
export function lstmDesign(
  shape: NetworkShape,
  { dropout, recurrentDropout }: DropoutRates,
): NetworkDesign {
  const layout = layoutOf(shape);
  const rates = { dropout, recurrentDropout };
  return {
    layout,
    initialWeights: (seed) => initialWeights(layout, seed),
    network: (native, setup) => new LstmNetwork(native, { layout, rates, setup }),
    graphs(weights, ctx) {
      const net = toNetWeights(layout, weights, rates);
      return { model: buildForecasterGraph(net, ctx), monteCarlo: buildMonteCarloGraph(net, ctx) };
    },
  };
}
