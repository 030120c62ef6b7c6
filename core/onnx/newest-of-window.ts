import type { ExportContext } from '../models/model.ts';
import { signatureOf } from './embed.ts';
import { Graph } from './graph.ts';
import { check } from './outputs.ts';

/**
 * A graph for windows of `ctx` from one for windows of `lookback` bars, no more than those: it is given their newest bars.
 * One that asks which of its instruments is meant has one only. A graph that has the right windows already stays as it is.
 * Throws `onnx.shape`.
 */
export function newestOfWindow(
  model: Uint8Array,
  lookback: number,
  ctx: Pick<ExportContext, 'lookback' | 'featureNames'>,
): Uint8Array {
  const { inputs, output } = signatureOf(model);
  const byInstrument = inputs.has('instrument');
  check(lookback <= ctx.lookback, `windows of ${lookback} bars within ${ctx.lookback}`);
  if (lookback === ctx.lookback && !byInstrument) return model;
  const g = new Graph('newest of the window');
  const x = g.input('x', 'float64', ['N', ctx.lookback, ctx.featureNames.length]);
  const [from, to] = [ctx.lookback - lookback, ctx.lookback];
  const newest = from === 0 ? x : g.op('Slice', [x, g.ints(from), g.ints(to), g.ints(1)]);
  // One position serves all windows: what is gathered by it is as wide as one row.
  const position = byInstrument ? { instrument: g.ints(0) } : {};
  g.outputLike(g.embed(model, { x: newest, ...position }), output);
  return g.toModel({});
}
