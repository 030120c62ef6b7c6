import type { Evaluation } from '../evaluation.ts';
import { referenceName } from '../references.ts';
import { SLICE_KINDS, type SliceKind } from '../slice-kinds.ts';
import { shownMetric } from './shown-metric.ts';
import {
  escapeHtml,
  figure,
  html,
  intervalCell,
  note,
  number4,
  signedPercent,
  table,
  type Cell,
} from './html.ts';
import { barsText } from './svg.ts';

type Slices = NonNullable<Evaluation['slices']>;

/** How a slice is called in tables and charts. */
export function sliceName({ by, name }: Slices['slices'][number]): string {
  const words: Record<SliceKind, string> = {
    horizon: barsText(Number(name)),
    instrument: name,
    year: name,
    regime: `${name} market`,
  };
  return words[by];
}

/** The same figures over parts of the test rows. */
export function sliceSection({ slices, data }: Evaluation, chart: string): string[] {
  if (slices === undefined) {
    return [note('The test rows were not sliced: whose row is whose was not recorded.')];
  }
  const metric = shownMetric(
    slices.metric,
    data.classes?.map(({ name }) => name),
  );
  const rows = slices.slices.map((slice): Cell[] => [
    html(`<span class="name">${escapeHtml(sliceName(slice))}</span>`),
    slice.skill ? intervalCell(slice.skill, signedPercent) : 'too few rows',
    slice.score ? intervalCell(slice.score, metric.show) : 'too few rows',
    figure(slice.loss, number4),
    figure(slice.referenceLoss, number4),
    slice.rows.toLocaleString('en-US'),
    slice.independent.toFixed(1),
  ]);
  const left = SLICE_KINDS.flatMap((kind) =>
    slices.left[kind] === undefined ? [] : [`${slices.left[kind]} more by ${kind}`],
  );
  const reference = referenceName(slices.reference, { ofClasses: data.classes !== undefined });
  const head = ['Slice', `Skill against ${reference}`, metric.title, 'Loss'];
  return [
    rows.length > 0
      ? table([...head, `Loss of ${reference}`, 'Rows', 'Independent'], rows)
      : note('One horizon, instrument, year and regime: there is nothing to slice.'),
    left.length > 0 ? note(`Not shown, having fewer rows: ${left.join(', ')}.`) : '',
    note(
      `Independent: decision times by the longest horizon; below 20 nothing is judged. ${metric.docs} It is the one at ${barsText(slices.scoreHorizon)} where a slice has several ` +
        'horizons. Regimes: terciles of trailing volatility, fitted on the training part for each instrument. ' +
        'One of twenty intervals leaves zero out by chance: slices explain a result, they decide nothing.',
    ),
    chart,
  ];
}
