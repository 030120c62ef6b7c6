import type { ExportContext } from '../../models/model.ts';
import { Graph } from '../graph.ts';
import { cast } from '../layers.ts';
import { checkWeights, sharedLayers, sharedWidth, type LstmNetWeights } from '../networks.ts';
import { check, finish, metadataOf } from '../outputs.ts';
import { addTreeEnsemble, joinEnsembles, type TreeEnsemble } from './ensemble.ts';
import { rawOutputs } from './graph.ts';

/**
 * A network and boosted trees as one graph: the newest bar's features as they are, beside what the
 * network's last shared layer gives (rounded to float32 there, float64 from then on), into one
 * ensemble a horizon. The same operators as in `buildFeatureGraph`, so that trees that were trained
 * on its answers decide here as they did there.
 *
 * Inputs and output as `buildForecasterGraph`. Throws `onnx.shape` where the parts do not fit.
 */
export function buildHybridGraph(
  weights: LstmNetWeights,
  byHorizon: readonly TreeEnsemble[],
  ctx: ExportContext,
): Uint8Array {
  checkWeights(weights, ctx);
  const features = ctx.featureNames.length;
  const columns = features + sharedWidth(weights);
  check(byHorizon.length === ctx.horizons.length, 'one ensemble per horizon');
  for (const ensemble of byHorizon) {
    check(ensemble.features <= columns, `trees of ${ensemble.features} columns`);
    check(ensemble.targets === (ctx.classes > 2 ? ctx.classes : 1), 'scores of the trees');
  }
  const g = new Graph('hybrid');
  const x = g.input('x', 'float64', ['N', ctx.lookback, features]);
  const learned = cast(g, sharedLayers(g, x, weights, ctx), 'float64');
  const last = g.op('Gather', [x, g.constant(BigInt64Array.of(BigInt(ctx.lookback - 1)), [])], {
    axis: { int: 1 },
  });
  const rows = g.op('Concat', [last, learned], { axis: { int: 1 } });
  finish(g, rawOutputs(g, addTreeEnsemble(g, rows, joinEnsembles(byHorizon)), ctx), ctx, 'N');
  return g.toModel(metadataOf(ctx));
}
