import { RatchetError } from '../errors.ts';
import type { ExportContext } from '../models/model.ts';
import type { Graph } from './graph.ts';
import { mul, unscale } from './layers.ts';

/** Throws `onnx.shape` unless it is so. */
export const check = (ok: boolean, what: string): void => {
  if (!ok) throw new RatchetError('onnx.shape', `weights do not fit: ${what}`);
};

export function checkContext(ctx: ExportContext): void {
  const { features, labels } = ctx.scalers;
  const [f, h] = [ctx.featureNames.length, ctx.horizons.length];
  check(features.offset.length === f && features.factor.length === f, 'feature scaler');
  check(labels.offset.length === h && labels.factor.length === h, 'label scaler');
}

/** Values that a graph gives for a window: one a horizon, or a probability for each of its classes. */
export const graphOutputs = ({ horizons, classes }: ExportContext): number =>
  horizons.length * Math.max(classes, 1);

/** Facts a reader of the file alone should have. */
export const metadataOf = (ctx: ExportContext): Record<string, string> => ({
  lookback: String(ctx.lookback),
  horizons: ctx.horizons.join(','),
  features: ctx.featureNames.join(','),
  ...(ctx.classes > 0 ? { classes: String(ctx.classes) } : {}),
});

/** Rows of the graph's answer: windows, or Monte-Carlo samples of one window. */
export type AnswerRows = 'N' | 'S';

/**
 * What a model computes, as the output `y`. `raw` [rows, outputs] float64: scaled label units, or the logits of the
 * classes, horizon by horizon; these become probabilities in double.
 */
export function finish(g: Graph, raw: string, ctx: ExportContext, rows: AnswerRows): void {
  give(g, ctx.classes > 0 ? softmax(g, raw, ctx) : unscale(g, raw, ctx.scalers.labels), ctx, rows);
}

/** Answers [rows, outputs] float64 in label units (times `close` where the label is a price) or probabilities, as `y`. */
export function give(g: Graph, answers: string, ctx: ExportContext, rows: AnswerRows): void {
  const closeRows = rows === 'N' ? 'N' : 1;
  const out = ctx.multiplyByClose
    ? mul(g, answers, g.input('close', 'float64', [closeRows, 1]))
    : answers;
  g.output(out, 'y', 'float64', [rows, graphOutputs(ctx)]);
}

function softmax(g: Graph, logits: string, ctx: ExportContext): string {
  const byHorizon = g.op('Reshape', [logits, g.ints(-1, ctx.horizons.length, ctx.classes)]);
  const shares = g.op('Softmax', [byHorizon], { axis: { int: -1 } });
  return g.op('Reshape', [shares, g.ints(-1, graphOutputs(ctx))]);
}
