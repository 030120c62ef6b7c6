import type { Evaluation } from '../evaluation.ts';
import { referenceName } from '../references.ts';
import { figure, intervalCell, note, number4, signedPercent, table, type Cell } from './html.ts';

type Parts = NonNullable<NonNullable<Evaluation['again']>['parts']>;

const NAMES = { own: 'Its own test part', after: 'After its own test part' } as const;

export const partName = ({ part }: Pick<Parts[number], 'part'>): string => NAMES[part];

/** What fresh rows there are, in a sentence. */
export function freshRows(parts: Parts): string {
  const [own, after] = [rowsOf(parts, 'own'), rowsOf(parts, 'after')];
  if (after === 0) {
    return 'No row came after its own test part: the figures are those that it was chosen by, once more.';
  }
  if (own === 0) return `All ${after} rows came after its own test part.`;
  return `The verdict is about all ${own + after} rows; ${own} are of its own test part, by whose figures it was chosen.`;
}

const rowsOf = (parts: Parts, which: Parts[number]['part']): number =>
  parts.find(({ part }) => part === which)?.rows ?? 0;

/** Rows judged again, parted where the version's own test part ended; nothing of other evaluations. */
export function againParts({ again, data }: Evaluation): string[] {
  if (again?.parts === undefined) return [];
  const reference = referenceName(again.parts[0]?.reference ?? '', {
    ofClasses: data.classes !== undefined,
  });
  const rows = again.parts.map((part): Cell[] => [
    partName(part),
    part.interval ? intervalCell(part.interval, signedPercent) : figure(part.skill, signedPercent),
    figure(part.weightedLoss, number4),
    figure(part.referenceLoss, number4),
    part.rows.toLocaleString('en-US'),
    part.independent.toFixed(1),
  ]);
  const head = ['Rows of', `Skill against ${reference}`, 'Loss', `Loss of ${reference}`];
  return [note(freshRows(again.parts)), table([...head, 'Rows', 'Independent'], rows)];
}
