import { type Combiner, POOL_FLOOR, VOTE_LEAD } from '../../onnx/combined.ts';
import type { ScalerState } from '../../scaling/scaler.ts';
import { twinLacks, type Samples } from '../model.ts';
import { logLossOf, softmax } from '../network/head.ts';

/** What members said of some samples: answers row-major [samples x horizons x outputs], one array a member. */
export type Answers = readonly Float64Array[];

export interface OutputShape {
  readonly horizons: number;
  /** 0 of a quantity. */
  readonly classes: number;
}

export const outputsOf = ({ classes }: OutputShape): number => Math.max(classes, 1);

/** A run of K probabilities as a vote: all of it for the class that leads by at least VOTE_LEAD, else shared. */
function voteOf(p: Float64Array): Float64Array {
  const [first = 0, second = 0] = p.toSorted().reverse();
  const share = p.map((own) => {
    const rival = own >= first ? second : first;
    return Math.min(Math.max((own - rival) / (2 * VOTE_LEAD) + 0.5, 0), 1);
  });
  const sum = share.reduce((a, b) => a + b, 0);
  return share.map((own) => own / sum);
}

function votes(answers: Answers, classes: number): Float64Array {
  const out = new Float64Array(answers[0]!.length);
  for (const answer of answers) {
    for (let from = 0; from < out.length; from += classes) {
      voteOf(answer.subarray(from, from + classes)).forEach((v, c) => (out[from + c]! += v));
    }
  }
  return out.map((sum) => sum / answers.length);
}

/** The answers as one, the same arithmetic as `buildCombinedGraph`. */
export function combine(combiner: Combiner, answers: Answers, shape: OutputShape): Float64Array {
  if (combiner.kind === 'votes') return votes(answers, shape.classes);
  const { horizons, classes } = shape;
  const outputs = outputsOf(shape);
  const { weights } = combiner;
  const logs = combiner.kind === 'pool' && classes > 0;
  const out = new Float64Array(answers[0]!.length);
  for (let at = 0; at < out.length; at++) {
    const k = Math.floor(at / outputs) % horizons;
    let sum = 0;
    answers.forEach((answer, i) => {
      const value = logs ? Math.log(Math.max(answer[at]!, POOL_FLOOR)) : answer[at]!;
      sum += weights[k]![i]! * value;
    });
    out[at] = combiner.kind === 'pool' ? sum + combiner.offsets[k]![at % outputs]! : sum;
  }
  return logs ? softmax(out, classes) : out;
}

/** Loss by horizon: squared error in scaled units, or log loss. */
export function lossByHorizon(
  said: Float64Array,
  samples: Samples,
  { factor }: Pick<ScalerState, 'factor'>,
): number[] {
  const { labels, classes, horizons, endRow } = samples;
  const sums = new Float64Array(horizons.length);
  labels.forEach((label, at) => {
    const k = at % horizons.length;
    sums[k]! +=
      classes > 0
        ? logLossOf(said[at * classes + label]!)
        : ((said[at]! - label) * factor[k]!) ** 2;
  });
  return [...sums].map((sum) => sum / endRow.length);
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** The same weights at every horizon, made to add up to 1. */
export function fixedMean(weights: readonly number[], horizons: number): Combiner {
  const sum = weights.reduce((a, b) => a + b, 0);
  return {
    kind: 'mean',
    weights: Array.from({ length: horizons }, () => weights.map((w) => w / sum)),
  };
}

/** A loss below this share of the largest counts as this share: a perfect member does not silence the others by itself. */
const LOSS_SHARE_MIN = 1e-6;

/** Weights inversely proportional to each member's loss, by horizon (Bates and Granger, 1969, without correlations). */
export function inverseLossMean(losses: readonly (readonly number[])[]): Combiner {
  const [first = []] = losses;
  return {
    kind: 'mean',
    weights: first.map((_, k) => {
      const own = losses.map((byHorizon) => byHorizon[k]!);
      const most = Math.max(...own, Number.MIN_VALUE);
      const inverse = own.map((loss) => most / Math.max(loss, LOSS_SHARE_MIN * most));
      const sum = inverse.reduce((a, b) => a + b, 0);
      return inverse.map((value) => value / sum);
    }),
  };
}

const column = (rows: readonly (readonly number[])[], i: number): number[] =>
  rows.map((row) => row[i]!);

/** What was chosen, by name: `weight1` of the first member, `offset1` of the first output, one value a horizon. */
export function chosenOf(combiner: Combiner): Record<string, readonly number[]> {
  if (combiner.kind === 'votes') return {};
  const named = (name: string, rows: readonly (readonly number[])[]) =>
    (rows[0] ?? []).map((_, i): [string, number[]] => [`${name}${i + 1}`, column(rows, i)]);
  return Object.fromEntries([
    ...named('weight', combiner.weights),
    ...(combiner.kind === 'pool' ? named('offset', combiner.offsets) : []),
  ]);
}

/** The combiner of that kind that `chosenOf` describes; throws `training.twin` where it does not. */
export function combinerFrom(
  kind: Combiner['kind'],
  chosen: Readonly<Record<string, readonly number[]>> = {},
  members: number,
  shape: OutputShape,
): Combiner {
  if (kind === 'votes') return { kind };
  const rows = (name: string, count: number): number[][] => {
    const columns = Array.from({ length: count }, (_, i) => chosen[`${name}${i + 1}`]);
    return Array.from({ length: shape.horizons }, (_, k) =>
      columns.map((values) => {
        const value = values?.[k];
        if (value === undefined) throw twinLacks(`the ${name}s of its members`);
        return value;
      }),
    );
  };
  const weights = rows('weight', members);
  return kind === 'mean'
    ? { kind, weights }
    : { kind, weights, offsets: rows('offset', outputsOf(shape)) };
}
