/** A version judged again: which rows are those of its own test part, and what a reader must know before the figures. */
import type { Evaluation } from './evaluation.ts';
import type { EvaluationInput } from './input.ts';
import { partFigures } from './part-figures.ts';
import type { NamedForecaster } from './scores.ts';
import type { Served } from './served.ts';
import { taskOf } from './task.ts';

type Again = NonNullable<Evaluation['again']>;

/** What is on record of it, with figures before and after the end of its own test part; undefined: judged for the first time. */
export function againOf(
  input: EvaluationInput,
  served: Served,
  others: readonly NamedForecaster[],
): Evaluation['again'] {
  if (input.again === undefined) return undefined;
  const { ownTestTo, ...facts } = input.again;
  const reference = others.find(({ name }) => name === taskOf(input.label).gate)!;
  const { openTime } = input.rows;
  const partOf = (part: 'own' | 'after'): NonNullable<Again['parts']>[number] => {
    const rows = [...openTime.keys()].filter(
      (row) => openTime[row]! <= ownTestTo === (part === 'own'),
    );
    const common = { part, reference: reference.name, rows: rows.length };
    const none = { weightedLoss: null, referenceLoss: null, skill: null, interval: null };
    if (rows.length === 0) return { ...common, timeStamps: 0, independent: 0, ...none };
    const { lossOf: _, ...figures } = partFigures(
      input,
      rows,
      served.predictions,
      reference.predictions,
    );
    return { ...common, ...figures };
  };
  return { ...facts, parts: [partOf('own'), partOf('after')] };
}

/** What stands beside the verdict: that it is one of several looks, and at what. */
export function againWarnings({ again }: Pick<EvaluationInput, 'again'>): string[] {
  if (again === undefined) return [];
  const looks =
    'Other looks: each evaluation of one version is another look at much the same rows; the level of the test counts none of them, and nothing is decided by it.';
  const { from, to } = again.chosen ?? { from: null, to: null };
  if (from === null && to === null) return [looks];
  const begin = from === null ? 'the first decision' : from;
  const range = `The range was chosen by the caller: ${begin} to ${to ?? 'the newest decision'}; one that is chosen for what is known of it proves nothing.`;
  return [looks, range];
}

/** Why a version judged again was compared with no champion. */
export function withoutChampion({ serving }: Pick<Again, 'serving'>): string {
  if (serving === undefined || serving === null) return 'it serves itself, or nothing does';
  return serving
    ? 'it serves the model itself'
    : 'nothing served this model when that was asked for';
}

/** Which weights answered, in words. */
export function judgedWeights({ again, seeds }: Pick<Evaluation, 'again' | 'seeds'>): string {
  const digest = seeds[0]?.weightsDigest.slice(0, 16) ?? '';
  const whose =
    again?.seeds === undefined
      ? 'of the served seed'
      : `of the mean of ${again.seeds.length} seeds (${again.seeds.join(', ')})`;
  if (again?.weights === 'refitted') {
    return `Judged are the refitted weights ${whose} (${digest}): validation loss and best epoch are those of the twin, and not shown.`;
  }
  const single = again?.seeds === undefined;
  const hidden = single
    ? ''
    : ': validation loss and best epoch are those of each seed, and not shown';
  return `Judged are the weights ${whose} (${digest}) that are served${hidden}.`;
}
