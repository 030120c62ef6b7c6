import type { Evaluation } from '../evaluation.ts';
import { spreadText } from '../fold-words.ts';
import { NAIVE_BASELINE } from '../references.ts';
import { figure, intervalCell, note, number4, signedPercent, table, type Cell } from './html.ts';

/** A row a fold, and how far they lie apart; nothing where there is one. */
export function foldTable({ folds, refit }: Evaluation): string[] {
  if (folds === undefined) return [];
  const rows = folds.map((fold, at): Cell[] => [
    at === folds.length - 1 ? `${at + 1} (newest)` : String(at + 1),
    fold.train.samples.toLocaleString('en-US'),
    `${fold.test.from} to ${fold.test.to}`,
    fold.test.samples.toLocaleString('en-US'),
    fold.learntLater ? 'yes' : 'no',
    figure(fold.weightedLoss, number4),
    fold.interval
      ? intervalCell(fold.interval, signedPercent)
      : `${figure(fold.skill, signedPercent)} (too few for an interval)`,
  ]);
  return [
    '<h3>Folds</h3>',
    table(
      [
        'Fold',
        'Trained on',
        'Test part',
        'Samples',
        'Learnt from later bars',
        'Weighted loss',
        `Skill against ${NAIVE_BASELINE}`,
      ],
      rows,
      { textColumns: [0, 2, 4], strongRow: folds.length - 1 },
    ),
    note(
      `${spreadText(folds)} Each test row was forecast by the fold that had not seen it; the figures of this report are of all of them together. ` +
        `${refit ? 'The served weights are a refit of' : 'What is served is the fit of'} the newest fold, and against a champion only its rows count.`,
    ),
  ];
}
