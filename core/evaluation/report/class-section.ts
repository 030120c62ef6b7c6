import { baselineVerdict, type ClassFigures } from '../class-figures.ts';
import type { Evaluation } from '../evaluation.ts';
import { escapeHtml, intervalCell, note, percent1, table, type Cell } from './html.ts';
import { barsText } from './svg.ts';

/** Answers and probabilities of a model of classes; `charts` are the figures of a horizon. */
export function classSection(
  evaluation: Evaluation,
  charts: (horizon: number) => string,
): string[] {
  const figures = evaluation.classFigures ?? [];
  return [
    ...figures.flatMap((of, k) => [
      `<h3>${barsText(of.horizon)} ahead</h3>`,
      `<p>${escapeHtml(baselineVerdict(of))}</p>`,
      perClass(evaluation, of, k),
      `<div class="pair">${charts(of.horizon)}</div>`,
    ]),
    note(
      'The answer is the most probable class. Precision: of the rows answered so, the share that came; recall: of the rows that came so, the share ' +
        'answered; F1: their harmonic mean. A class that is never answered has precision and F1 0. Calibration: where a class was given 30 %, it should have ' +
        'come in 30 of 100 rows; a bin with few rows says little.',
    ),
  ];
}

function perClass({ data, forecasters }: Evaluation, { confusion }: ClassFigures, k: number) {
  const scored = forecasters.find(({ kind }) => kind === 'model')?.byHorizon[k]?.metrics ?? {};
  const total = confusion?.flat().reduce((a, b) => a + b, 0) ?? 0;
  const share = (rows: number): string => (total > 0 ? percent1(rows / total) : 'n/a');
  const rows = (data.classes ?? []).map(({ name, priors }, c): Cell[] => {
    const came = confusion?.[c]?.reduce((a, b) => a + b, 0) ?? 0;
    const answered = confusion?.reduce((sum, row) => sum + row[c]!, 0) ?? 0;
    const score = (metric: string): Cell => {
      const interval = scored[`${metric}_${name}`];
      return interval ? intervalCell(interval, percent1) : 'n/a';
    };
    return [
      name,
      priors[k] === undefined ? 'n/a' : percent1(priors[k]),
      share(came),
      share(answered),
      score('precision'),
      score('recall'),
      score('f1'),
    ];
  });
  return table(
    ['Class', 'Training share', 'Test share', 'Answered', 'Precision', 'Recall', 'F1'],
    rows,
  );
}
