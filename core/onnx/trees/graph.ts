import type { ExportContext } from '../../models/model.ts';
import { EVALUATOR_KEY, TREE_EVALUATOR } from '../evaluator.ts';
import { Graph } from '../graph.ts';
import { unscale } from '../layers.ts';
import { check, checkContext, give, graphOutputs, metadataOf } from '../outputs.ts';
import { addTreeEnsemble, joinEnsembles, type TreeEnsemble } from './ensemble.ts';
import { isForest } from './forest.ts';
import { plainSoftmax } from './softmax.ts';

/**
 * Log-odds [N, H] of the second of two classes as logits [N, 2 H]: 0 and the log-odds, horizon by
 * horizon.
 */
function logitsOfLogOdds(g: Graph, scores: string, horizons: number): string {
  const logits = g.op('Mul', [
    g.op('Unsqueeze', [scores, g.ints(2)]),
    g.constant(Float64Array.of(0, 1)),
  ]);
  return g.op('Reshape', [logits, g.ints(-1, 2 * horizons)]);
}

/** Raw scores [N, H x scores] of boosters as what `finish` takes: a value or K logits a horizon. */
export const rawOutputs = (g: Graph, scores: string, ctx: ExportContext): string =>
  ctx.classes === 2 ? logitsOfLogOdds(g, scores, ctx.horizons.length) : scores;

/** Label units, or probabilities [N, H x classes] whose bits do not depend on who computes them. */
function answersOf(g: Graph, raw: string, ctx: ExportContext): string {
  if (ctx.classes === 0) return unscale(g, raw, ctx.scalers.labels);
  const logits = g.op('Reshape', [raw, g.ints(-1, ctx.horizons.length, ctx.classes)]);
  const shares = plainSoftmax(g, logits, ctx.classes);
  return g.op('Reshape', [shares, g.ints(-1, graphOutputs(ctx))]);
}

/**
 * Boosted trees on the newest row of the window, one ensemble a horizon, all in one operator;
 * features as they are, since no monotone scaling changes a tree. The graph names our own evaluator
 * where it has no categories.
 *
 * Inputs and output as `buildForecasterGraph`. Throws `onnx.shape` where trees and context do not
 * fit.
 */
export function buildTreeGraph(byHorizon: readonly TreeEnsemble[], ctx: ExportContext): Uint8Array {
  checkContext(ctx);
  const features = ctx.featureNames.length;
  const scores = ctx.classes > 2 ? ctx.classes : 1;
  check(byHorizon.length === ctx.horizons.length, 'one ensemble per horizon');
  for (const ensemble of byHorizon) {
    check(ensemble.features <= features, `trees of ${ensemble.features} columns`);
    check(ensemble.targets === scores, `trees with ${ensemble.targets} scores`);
  }
  const g = new Graph('boosted-trees');
  const x = g.input('x', 'float64', ['N', ctx.lookback, features]);
  const last = g.op('Gather', [x, g.constant(BigInt64Array.of(BigInt(ctx.lookback - 1)), [])], {
    axis: { int: 1 },
  });
  const joined = joinEnsembles(byHorizon);
  give(g, answersOf(g, rawOutputs(g, addTreeEnsemble(g, last, joined), ctx), ctx), ctx, 'N');
  const evaluator = isForest(joined) ? { [EVALUATOR_KEY]: TREE_EVALUATOR } : {};
  return g.toModel({ ...metadataOf(ctx), ...evaluator });
}
