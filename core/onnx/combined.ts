import type { ExportContext } from '../models/model.ts';
import { signatureOf } from './embed.ts';
import { Graph } from './graph.ts';
import { check, give, graphOutputs, metadataOf } from './outputs.ts';

/** A member's lead over its next class below which its vote is shared: no rounding may turn a vote over. */
export const VOTE_LEAD = 0.02;
/** Probabilities are raised to this before their logarithm is taken (STATISTICS.md 3). */
export const POOL_FLOOR = 0.001;

/** How several models' answers become one; by horizon, then by member or output. */
export type Combiner =
  /** sum_i w_i y_i: weights add up to 1. */
  | { readonly kind: 'mean'; readonly weights: readonly (readonly number[])[] }
  /** Shares of the members whose likeliest class it is. */
  | { readonly kind: 'votes' }
  /** Quantities: offset + sum_i w_i y_i; classes: softmax_c(offset_c + sum_i w_i ln p_ic). */
  | {
      readonly kind: 'pool';
      readonly weights: readonly (readonly number[])[];
      readonly offsets: readonly (readonly number[])[];
    };

interface Shape {
  readonly horizons: number;
  /** Outputs of a horizon. */
  readonly outputs: number;
}

/** The member's weight at every output, horizon by horizon. */
const weightsOf = (weights: readonly (readonly number[])[], member: number, { outputs }: Shape) =>
  Float64Array.from(weights.flatMap((own) => Array<number>(outputs).fill(own[member]!)));

/** sum_i w_i a_i, added up in the order of the members. */
function weighted(
  g: Graph,
  answers: readonly string[],
  weights: readonly (readonly number[])[],
  shape: Shape,
): string {
  return answers
    .map((answer, i) => g.op('Mul', [answer, g.constant(weightsOf(weights, i, shape))]))
    .reduce((a, b) => g.op('Add', [a, b]));
}

const byHorizon = (g: Graph, y: string, { horizons, outputs }: Shape): string =>
  g.op('Reshape', [y, g.ints(-1, horizons, outputs)]);

/** One member's vote [N, H, K]: 1 for the class that leads clearly; see `votesOf` of the combiner. */
function vote(g: Graph, answer: string, shape: Shape): string {
  const double = (value: number): string => g.scalar(value, 'float64');
  const p = byHorizon(g, answer, shape);
  const [two] = g.opMany('TopK', [p, g.ints(2)], 2, { axis: { int: -1 } });
  const at = (place: number): string => g.op('Gather', [two!, g.ints(place)], { axis: { int: 2 } });
  const [first, second] = [at(0), at(1)];
  const rival = g.op('Where', [g.op('GreaterOrEqual', [p, first]), second, first]);
  const lead = g.op('Div', [g.op('Sub', [p, rival]), double(2 * VOTE_LEAD)]);
  const share = g.op('Clip', [g.op('Add', [lead, double(0.5)]), double(0), double(1)]);
  return g.op('Div', [share, g.op('ReduceSum', [share, g.ints(-1)], { keepdims: { int: 1 } })]);
}

function votes(g: Graph, answers: readonly string[], shape: Shape): string {
  const sum = answers.map((answer) => vote(g, answer, shape)).reduce((a, b) => g.op('Add', [a, b]));
  const shares = g.op('Div', [sum, g.scalar(answers.length, 'float64')]);
  return g.op('Reshape', [shares, g.ints(-1, shape.horizons * shape.outputs)]);
}

function pool(
  g: Graph,
  answers: readonly string[],
  { weights, offsets }: Extract<Combiner, { kind: 'pool' }>,
  shape: Shape,
): string {
  const floor = g.scalar(POOL_FLOOR, 'float64');
  const classes = shape.outputs > 1;
  const terms = classes
    ? answers.map((answer) => g.op('Log', [g.op('Max', [answer, floor])]))
    : answers;
  const sum = weighted(g, terms, weights, shape);
  const raw = g.op('Add', [sum, g.constant(Float64Array.from(offsets.flat()))]);
  if (!classes) return raw;
  const shares = g.op('Softmax', [byHorizon(g, raw, shape)], { axis: { int: -1 } });
  return g.op('Reshape', [shares, g.ints(-1, shape.horizons * shape.outputs)]);
}

/**
 * One graph of several finished models, whose answers are combined in double. `members` are graphs of this context
 * without its close: x float64 [N, lookback, F] -> y float64 [N, outputs]; the whole multiplies by the close where the
 * context says so. Throws `onnx.shape` where members and combiner do not fit.
 */
export function buildCombinedGraph(
  members: readonly Uint8Array[],
  combiner: Combiner,
  ctx: ExportContext,
): Uint8Array {
  const shape = { horizons: ctx.horizons.length, outputs: Math.max(ctx.classes, 1) };
  const g = new Graph('ensemble');
  const x = g.input('x', 'float64', ['N', ctx.lookback, ctx.featureNames.length]);
  for (const member of members) {
    const { inputs } = signatureOf(member);
    check(inputs.size === 1 && inputs.has('x'), 'a member reads more than windows');
  }
  const answers = members.map((member) => g.embed(member, { x }));
  give(g, combined(g, answers, combiner, shape), ctx, 'N');
  return g.toModel({ ...metadataOf(ctx), members: String(members.length) });

  function combined(graph: Graph, given: readonly string[], by: Combiner, of: Shape): string {
    if (by.kind === 'votes') return votes(graph, given, of);
    const fits =
      by.weights.length === of.horizons && by.weights.every((w) => w.length === given.length);
    check(fits, `weights of ${given.length} members for ${graphOutputs(ctx)} outputs`);
    return by.kind === 'mean' ? weighted(graph, given, by.weights, of) : pool(graph, given, by, of);
  }
}
