import { RatchetError } from '../errors.ts';
import type { ExportedGraphs } from '../models/model.ts';
import { readModel, signatureOf } from './embed.ts';
import { EVALUATOR_KEY, evaluatorOf } from './evaluator.ts';
import { Graph } from './graph.ts';

/**
 * One graph whose answer is the mean of several models' of one shape, in double: label units, or probabilities, which
 * still add up to 1. They share their inputs. Throws `onnx.shape` where inputs or outputs differ.
 */
export function meanOfModels(models: readonly Uint8Array[]): Uint8Array {
  const g = new Graph('mean');
  const { inputs, output } = sameSignature(models);
  const given = Object.fromEntries([...inputs.values()].map((info) => [info.name, info.name!]));
  for (const info of inputs.values()) g.inputLike(info);
  const answers = models.map((model) => g.embed(model, given));
  g.outputLike(mean(g, answers), output);
  return g.toModel(metadataOf(models));
}

/**
 * The same of Monte-Carlo graphs: a sample is the mean of one sample of each, every one with noise of its own, side by
 * side in the input `noise` [S, sum of their widths].
 */
export function meanOfMonteCarlo(
  graphs: readonly NonNullable<ExportedGraphs['monteCarlo']>[],
): NonNullable<ExportedGraphs['monteCarlo']> {
  const models = graphs.map(({ graph }) => graph);
  const noiseWidth = graphs.reduce((sum, graph) => sum + graph.noiseWidth, 0);
  const g = new Graph('mean of samples');
  const { inputs, output } = sameSignature(models);
  const shared = [...inputs.values()].filter(({ name }) => name !== 'noise');
  for (const info of shared) g.inputLike(info);
  const noise = g.input('noise', 'float32', ['S', noiseWidth]);
  let from = 0;
  const answers = graphs.map(({ graph, noiseWidth: width }) => {
    const own = g.op('Slice', [noise, g.ints(from), g.ints(from + width), g.ints(1)]);
    from += width;
    const others = Object.fromEntries(shared.map(({ name }) => [name, name!]));
    return g.embed(graph, { ...others, noise: own });
  });
  g.outputLike(mean(g, answers), output);
  return { graph: g.toModel(metadataOf(models)), noiseWidth };
}

/** Added up in the order of the models, so that the same models give the same bits. */
function mean(g: Graph, answers: readonly string[]): string {
  const sum = answers.reduce((a, b) => g.op('Add', [a, b]));
  return g.op('Div', [sum, g.scalar(answers.length, 'float64')]);
}

function sameSignature(models: readonly Uint8Array[]): ReturnType<typeof signatureOf> {
  const [first, ...others] = models.map(signatureOf);
  if (first === undefined) throw new RatchetError('onnx.shape', 'a mean needs a model');
  // Widths of noise may differ: each has a part of its own.
  const shapeOf = ({ inputs, output }: typeof first): string =>
    JSON.stringify([[...inputs.values()].filter(({ name }) => name !== 'noise'), output]);
  if (others.every((other) => shapeOf(other) === shapeOf(first))) return first;
  throw new RatchetError('onnx.shape', 'models of different inputs or outputs have no mean');
}

/** What the first says of itself, and how many they are; who answers is said where it is the same for all. */
function metadataOf(models: readonly Uint8Array[]): Record<string, string> {
  const own = (readModel(models[0]!).metadataProps ?? []).map(({ key, value }) => [key, value]);
  const { [EVALUATOR_KEY]: evaluator, ...facts } = Object.fromEntries(own) as Record<
    string,
    string
  >;
  const shared = models.every((model) => evaluatorOf(model) === evaluator) && evaluator;
  return {
    ...facts,
    meanOf: String(models.length),
    ...(shared && { [EVALUATOR_KEY]: shared }),
  };
}
