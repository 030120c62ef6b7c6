import type { Evaluation } from './evaluation.ts';

type Refit = NonNullable<Evaluation['refit']>;

/** Whose figures an evaluation holds where other weights are served. */
export function refitWords({
  newer,
  trainedThrough,
}: Pick<Refit, 'newer' | 'trainedThrough'>): string {
  const instant = trainedThrough.endsWith('T00:00:00.000Z')
    ? trainedThrough.slice(0, 10)
    : `${trainedThrough.slice(0, 16).replace('T', ' ')} UTC`;
  return (
    `Evaluated by its twin, the same fit without the last ${newer} samples; ` +
    `served refitted through ${instant}.`
  );
}
